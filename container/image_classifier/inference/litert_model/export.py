"""Export a model folder to LiteRT: select the images, convert in a child process, and judge the result."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from image_classifier import PROGRAM
from image_classifier.contract.errors import AlgorithmError, PlatformError, last_line
from image_classifier.evaluation import stratified
from image_classifier.inference.litert_model import conversion, exchange
from image_classifier.inference.litert_model.exchange import INT8, Converted, Request

CALIBRATION_IMAGES = 300
"""Images that set the ranges of int8's activations, at most; none of them is used for verification."""
VERIFICATION_IMAGES = 500
"""Images on which the file is compared with the model, at most."""
TIMEOUT = 3600.0
"""Seconds: the largest network with all images takes a fraction of it on two CPUs."""
_SEED = 0


@dataclass(frozen=True)
class GivenImage:
    """An image of the user, and the name of its folder."""

    path: Path
    folder_name: str


def split(images: Sequence[GivenImage], precision: str) -> tuple[list[GivenImage], list[GivenImage]]:
    """Return the images for int8's ranges and those for verification: disjoint, each with all folders' shares.

    With another precision than int8 all are for verification. At most `CALIBRATION_IMAGES` and `VERIFICATION_IMAGES`.
    """
    index = {name: number for number, name in enumerate(sorted({image.folder_name for image in images}))}
    order = stratified.by_class(np.array([index[image.folder_name] for image in images], np.int64), _SEED)
    calibrating = min(CALIBRATION_IMAGES, len(images) // 2) if precision == INT8 else 0
    wanted = min(len(images), calibrating + VERIFICATION_IMAGES)
    chosen = order[stratified.evenly_spaced(len(order), wanted)]
    ranges = {*stratified.evenly_spaced(wanted, calibrating).tolist()}
    calibration = [images[row] for place, row in enumerate(chosen.tolist()) if place in ranges]
    verification = [images[row] for place, row in enumerate(chosen.tolist()) if place not in ranges]
    return calibration, verification


def convert(request: Request, folder: Path) -> Converted:
    """Convert in a child process; the LiteRT file is `exchange.file_of(folder)` then, not yet judged.

    Raises:
        ExplainedError: The model cannot be used or converted, or the child crashed; the text says which.
    """
    exchange.write_request(folder, request)
    log = folder / "log"
    with log.open("wb") as stderr:
        try:
            done = subprocess.run(
                [sys.executable, "-m", conversion.__name__, str(folder)],
                env={**os.environ, "PYTHONPATH": str(PROGRAM), "PYTHONWARNINGS": "ignore"},
                stdin=subprocess.DEVNULL,
                stdout=stderr,
                stderr=stderr,
                timeout=TIMEOUT,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise PlatformError(
                f"The conversion of {request.model} to LiteRT did not finish within {TIMEOUT:g} s. Give fewer images, "
                "or use a machine with more CPUs."
            ) from error
    if explained := exchange.read_error(folder):
        raise explained
    converted = exchange.read_converted(folder)
    if converted is None or done.returncode:
        raise _crash(request, done.returncode, log)
    return converted


def _crash(request: Request, code: int, log: Path) -> PlatformError | AlgorithmError:
    what = f"The conversion of {request.model} to LiteRT"
    if code == -signal.SIGKILL:
        return PlatformError(f"{what} was killed, probably for lack of memory. Use a machine with more memory.")
    said = last_line(log.read_text(encoding="utf-8", errors="replace")).rstrip(".")
    how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"failed with exit code {code}"
    return AlgorithmError(f"{what} {how}: {said}. TensorFlow's converter may not support this network.")
