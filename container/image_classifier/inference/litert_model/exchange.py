"""What the command and the child process that converts for it exchange: files in a folder."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from image_classifier import durable_files
from image_classifier.contract.errors import AlgorithmError, ExplainedError, PlatformError, UserError

FLOAT32, FLOAT16, INT8_WEIGHTS, INT8 = PRECISIONS = ("float32", "float16", "int8-weights", "int8")
"""Of weights and activations; `INT8_WEIGHTS`: weights alone, activations are floats with ranges found at run time."""
INPUT = "pixels"
"""Name of the input in the signature of the LiteRT file; the output is `artifacts.PROBABILITIES`."""
_OWNERS = {owner.__name__: owner for owner in (UserError, AlgorithmError, PlatformError)}
_REQUEST, _RESULT, _ERROR = "request.json", "result.json", "error.json"
_TABLES = "probabilities.npz"


@dataclass(frozen=True, kw_only=True)
class Request:
    """What to convert, and the images to do it with."""

    model: str
    """The model folder."""
    precision: str
    """One of `PRECISIONS`."""
    trust: bool
    """Whether the SavedModel may contain any operation."""
    calibration: tuple[str, ...]
    """Image files that set int8's ranges."""
    verification: tuple[str, ...]
    """Image files on which both are compared; empty for synthetic images."""


@dataclass(frozen=True, kw_only=True)
class Converted:
    """What a LiteRT file and its model predict for the same images."""

    class_names: tuple[str, ...]
    warning: str | None
    """What was assumed about the model, for the user."""
    image_size: tuple[int, int]
    """Height and width."""
    resize_method: str
    rows: tuple[int, ...]
    """Rows of `Request.verification` that were readable, one for each row of the tables."""
    skipped: Mapping[str, str]
    """Image files that were not readable, and why."""
    expected: NDArray[np.float32]
    """The model's probabilities (n, K)."""
    found: NDArray[np.float32]
    """The LiteRT file's probabilities (n, K)."""


def file_of(folder: Path) -> Path:
    """Return where the child writes the LiteRT file."""
    return folder / "model.tflite"


def write_request(folder: Path, request: Request) -> None:
    """Write the request for the child."""
    durable_files.write_json(folder / _REQUEST, asdict(request))


def read_request(folder: Path) -> Request:
    """Read the request in the child."""
    return Request(**_read(folder / _REQUEST))


def write_converted(folder: Path, converted: Converted) -> None:
    """Write the result for the parent."""
    values = {**vars(converted)}
    with durable_files.writing(folder / _TABLES) as file:
        np.savez(file, expected=values.pop("expected"), found=values.pop("found"))
    durable_files.write_json(folder / _RESULT, values)


def read_converted(folder: Path) -> Converted | None:
    """Read the result in the parent; None when the child wrote none."""
    if not (folder / _RESULT).is_file():
        return None
    with np.load(folder / _TABLES) as tables:
        return Converted(**_read(folder / _RESULT), expected=tables["expected"], found=tables["found"])


def write_error(folder: Path, error: ExplainedError) -> None:
    """Write the error with which the child ends."""
    durable_files.write_json(folder / _ERROR, {"owner": type(error).__name__, "text": str(error)})


def read_error(folder: Path) -> ExplainedError | None:
    """Read the error in the parent; None when the child explained none."""
    if not (folder / _ERROR).is_file():
        return None
    found = json.loads((folder / _ERROR).read_bytes())
    return _OWNERS.get(found["owner"], AlgorithmError)(found["text"])


def _read(path: Path) -> dict[str, Any]:
    found = json.loads(path.read_bytes())
    return {key: tuple(value) if isinstance(value, list) else value for key, value in found.items()}
