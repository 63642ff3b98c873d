"""The process of a measurement: `python -m image_classifier.console.estimating.probe_process REQUEST RESULT [OWNER]`.

It ends with the process whose record is in the file OWNER: the console's, which alone reads its result.
"""

import contextlib
import json
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from image_classifier import durable_files, imaging
from image_classifier.console.estimating import scratch, watched_job
from image_classifier.console.estimating.request import Request
from image_classifier.contract.errors import ExplainedError, UserError, report_and_exit_code
from image_classifier.contract.names import on_one_line
from image_classifier.resources import processors, termination
from image_classifier.runners import chosen_model, job_tree, processes
from image_classifier.runners.job_tree import LocalJob
from image_classifier.runners.processes import ProcessRecord

_DECODED = (224, 224)
"""Height and width of decoded images: what most networks take, and decoding depends little on it."""
_OWNER_SECONDS = 0.5
"""Seconds between two checks of the owner."""


def measure(request: Request, folder: Path) -> watched_job.Watched:
    """Run the small job of a request in an empty folder.

    Raises:
        UserError: It fails: the images or the model must change.
    """
    images = _images(request, folder / "images")
    model = chosen_model.choose(request.model, {}).fetch()
    job = LocalJob(images, model, folder / "job", hyperparameters=request.settings)
    found = watched_job.run(job_tree.build_tree(job), request.epochs)
    if found.failure:
        raise UserError(f"A job on {len(request.images)} of the images fails: {on_one_line(found.failure)}")
    return found


def decode_seconds(paths: Sequence[Path]) -> float:
    """Return the seconds that one of these images takes to decode, on one CPU."""
    started, decoded = time.perf_counter(), 0
    for path in paths:
        with contextlib.suppress(imaging.ImageRejected, OSError):
            imaging.load_pixels(path.read_bytes(), _DECODED)
            decoded += 1
    return (time.perf_counter() - started) / max(decoded, 1)


def _images(request: Request, folder: Path) -> Path:
    """Copy the images, and link them as often as the small job has rows."""
    copies = []
    for index, (name, path) in enumerate(request.images):
        target = folder / name / f"{index}-0{Path(path).suffix}"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
        copies.append(target)
    for row in range(len(copies), request.rows):
        original = copies[row % len(copies)]
        os.link(original, original.with_name(f"{row % len(copies)}-{row}{original.suffix}"))
    return folder


def main(arguments: Sequence[str]) -> int:
    """Measure the request in the file that is named first and write the result to the one that is named second."""
    asked, result = map(Path, arguments[:2])
    if len(arguments) > 2:
        _end_with(processes.read(Path(arguments[2])))
    try:
        request = Request.from_json(json.loads(asked.read_bytes()))
        load = os.getloadavg()[0]
        decoding = decode_seconds([Path(path) for _, path in request.images])
        with scratch.folder(result.with_suffix(scratch.SUFFIX)) as folder:
            watched = measure(request, folder)
        found = {
            "watched": asdict(watched),
            "decode_seconds": decoding,
            "rows": request.rows,
            "classes": len({name for name, _ in request.images}),
            "load": load,
            "processor": processors.name(),
        }
        durable_files.write_json(result, found)
    except ExplainedError as error:
        return report_and_exit_code(error)
    return 0


def _end_with(owner: ProcessRecord | None) -> None:
    """Exit when asked to by SIGTERM or when the owner has exited; the job is killed and the scratch folder removed."""
    termination.exit_on_sigterm()

    def watch() -> None:
        while owner is not None and processes.is_running(owner):
            time.sleep(_OWNER_SECONDS)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
