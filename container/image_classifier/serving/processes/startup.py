"""What `serve` does before the server runs: look at settings, model folder and memory, then become gunicorn."""

import contextlib
import logging
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn

from image_classifier import PROGRAM, artifacts, model_layout
from image_classifier.contract.errors import ExplainedError, report_and_exit_code
from image_classifier.contract.opt_ml import BASE_DIR_VARIABLE, OptMl
from image_classifier.contract.serving_variables import WORKERS
from image_classifier.inference import engines, footprint
from image_classifier.inference.layout import check_layout
from image_classifier.resources import memory
from image_classifier.resources.processors import available_processors
from image_classifier.serving import settings
from image_classifier.serving.monitoring import log_stream
from image_classifier.serving.processes import process_count
from image_classifier.serving.settings import Settings

_MALLOC = {"MALLOC_MMAP_THRESHOLD_": str(4 << 20), "GLIBC_TUNABLES": "glibc.malloc.tcache_count=0"}
"""For glibc. What is larger than the first (mallopt(3)) goes back to the system when it is freed: left alone, the
threshold rises to 32 MB with the first large raster, and what threads free of later ones stays: 170 MB instead of 81
after 5,000 images, some of them large. The second: no store of small blocks for each of seventy threads, 21 MB that
bought no speed; see docs/decisions/0016."""


def main() -> NoReturn:
    """Check what can be checked within a second, then replace this process by gunicorn, so that signals reach it.

    Raises:
        SystemExit: Something is wrong, which was printed; code 1.
    """
    _open_missing_streams()
    log_stream.never_wait()
    opt_ml = OptMl(OptMl.from_environment().base.absolute())
    try:
        chosen = settings.read(os.environ)
        # Many models are held by one process, and each says when it is loaded whether there is memory for it.
        processes = 1 if chosen.multi_model else _processes(opt_ml.model_dir, chosen)
    except ExplainedError as error:
        sys.exit(report_and_exit_code(error))
    # gunicorn and `python -m` import from the working folder before anything else.
    os.chdir(PROGRAM)
    command = [sys.executable, "-m", "gunicorn", "--config", str(PROGRAM / "gunicorn.conf.py")]
    os.execve(sys.executable, command, _environment(opt_ml, processes))


def _open_missing_streams() -> None:
    # Else the first connections would get their numbers, and what a library prints would be sent to a client.
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            # The lowest number that is free, which is this one.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)


def _processes(given: Path, chosen: Settings) -> int:
    folder = model_layout.root(given)
    check_layout(folder)
    # Here, since each of several processes would say it again.
    if chosen.log_level <= logging.INFO:
        _say(model_layout.notes(given, chosen.program))
    choice = engines.choose(folder, artifacts.read_model_info(folder), chosen.engine)
    count = process_count.fitting(chosen.workers, footprint.process_bytes(folder, choice), memory.available_bytes())
    if count.remark:
        _say([count.remark])
    return count.processes


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        with contextlib.suppress(OSError):  # a log that takes nothing is no reason not to serve
            print(line, file=sys.stderr, flush=True)


def _environment(opt_ml: OptMl, processes: int) -> dict[str, str]:
    found = {
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "OMP_NUM_THREADS": str(available_processors()),
        **_MALLOC,
        # One for each thread that computes, not for each of the many that may: measured, 191 MB instead of 230 after
        # 1,000 requests on 64 connections; see docs/decisions/0016.
        "MALLOC_ARENA_MAX": str(max(2, available_processors())),
        **os.environ,
        BASE_DIR_VARIABLE: str(opt_ml.base),
        WORKERS.name: str(processes),
    }
    found["PYTHONPATH"] = os.pathsep.join([str(PROGRAM), *filter(None, [found.get("PYTHONPATH")])])
    return found
