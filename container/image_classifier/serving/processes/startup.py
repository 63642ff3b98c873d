"""The checks of `serve` before the server runs: settings, model folder, memory; then exec gunicorn."""

import logging
import os
import sys
from pathlib import Path
from typing import NoReturn

from image_classifier import PROGRAM, artifacts, model_layout
from image_classifier.contract import unread_variables
from image_classifier.contract.errors import ExplainedError, report_and_exit_code
from image_classifier.contract.opt_ml import BASE_DIR_VARIABLE, OptMl
from image_classifier.contract.serving_variables import WORKERS
from image_classifier.inference import engines, footprint
from image_classifier.inference.layout import check_layout
from image_classifier.resources import memory
from image_classifier.resources.processors import available_processors
from image_classifier.serving import settings
from image_classifier.serving.monitoring import log_stream
from image_classifier.serving.processes import listening, process_count
from image_classifier.serving.settings import ServingSettings

_MALLOC = {"MALLOC_MMAP_THRESHOLD_": str(4 << 20), "GLIBC_TUNABLES": "glibc.malloc.tcache_count=0"}
"""For glibc (mallopt(3)). Blocks above the threshold return to the system when freed; by default the threshold rises to
32 MB with the first large raster, and memory of later ones is kept: 170 MB instead of 81 after 5,000 images, some of
them large. The second switches off the per-thread cache of small blocks: 21 MB with seventy threads, without any gain
in speed; see docs/decisions/0016."""


def main() -> NoReturn:
    """Run the checks, which take less than a second, then replace this process by gunicorn, so that signals reach it.

    Raises:
        SystemExit: A check failed; the reason was printed. Code 1.
    """
    _open_missing_streams()
    log_stream.make_non_blocking()
    opt_ml = OptMl(OptMl.from_environment().base.absolute())
    try:
        chosen = settings.read(os.environ)
        for line in unread_variables.of_serving(os.environ):
            log_stream.print_line(line)
        listening.check(chosen.host, chosen.port)
        # A multi-model server has one process; memory is checked for each model when it is loaded.
        processes = 1 if chosen.multi_model else _processes(opt_ml.model_dir, chosen)
    except ExplainedError as error:
        sys.exit(report_and_exit_code(error))
    # gunicorn and `python -m` put the working folder first on the import path.
    os.chdir(PROGRAM)
    command = [sys.executable, "-m", "gunicorn", "--config", str(PROGRAM / "gunicorn.conf.py")]
    os.execve(sys.executable, command, _environment(opt_ml, processes))


def _open_missing_streams() -> None:
    # Otherwise the first connections would get these descriptors, and output of libraries would be sent to a client.
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            # open() returns the lowest free number, which is this one.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)


def _processes(model_dir: Path, chosen: ServingSettings) -> int:
    folder = model_layout.root(model_dir)
    check_layout(folder)
    # Here, since each worker would repeat them.
    if chosen.log_level <= logging.INFO:
        for note in model_layout.notes(model_dir, chosen.program):
            log_stream.print_line(note)
    choice = engines.choose(folder, artifacts.read_model_info(folder), chosen.engine)
    count = process_count.workers_that_fit(
        chosen.workers, footprint.process_bytes(folder, choice), memory.available_bytes()
    )
    if count.note:
        log_stream.print_line(count.note)
    return count.processes


def _environment(opt_ml: OptMl, processes: int) -> dict[str, str]:
    environment = {
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "OMP_NUM_THREADS": str(available_processors()),
        **_MALLOC,
        # One arena per computing thread, not per thread: measured, 191 MB instead of 230 after 1,000 requests on 64
        # connections; see docs/decisions/0016.
        "MALLOC_ARENA_MAX": str(max(2, available_processors())),
        **os.environ,
        BASE_DIR_VARIABLE: str(opt_ml.base),
        WORKERS.name: str(processes),
    }
    environment["PYTHONPATH"] = os.pathsep.join([str(PROGRAM), *filter(None, [environment.get("PYTHONPATH")])])
    return environment
