"""The OpenVINO IR of a model folder: whether there is one, what was measured of it, and whether it is undamaged."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from image_classifier import artifacts
from image_classifier.artifacts import ModelInfo
from image_classifier.contract.errors import UserError

KEY = "openvino"
"""Of the model info's extra entries."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """What the model info keeps about the IR beside it."""

    sha256: str
    """Of the IR's folder, see `artifacts.folder_sha256`."""
    network_sha256: str
    """Of the SavedModel that it was made from, see `artifacts.network_sha256`."""
    version: str
    """OpenVINO's, which converted it."""
    images: int
    """How many were asked of both."""
    synthetic: bool
    """Whether these were noise, since no images were at hand."""
    largest_difference: float
    """Largest |Δp| against TensorFlow, both in float32."""
    other_answers: int
    close_answers: int
    """Other top-1 answers: where the two best lie further apart than twice the tolerance, and within."""
    seconds: float
    """That converting and checking took."""


def folder_of(model: Path) -> Path:
    """Return where the IR of a model folder lies."""
    return model / artifacts.OPENVINO_DIR


def read_record(model: Path, info: ModelInfo) -> Record | None:
    """Return what is recorded of a model folder's IR, None when it has none.

    Raises:
        UserError: The record is none that this program writes.
    """
    found = info.extra.get(KEY)
    if not isinstance(found, Mapping) or "left_out" in found or not folder_of(model).is_dir():
        return None
    names = {field.name for field in fields(Record)}
    try:
        return Record(**{name: value for name, value in found.items() if name in names})
    except TypeError as error:
        raise UserError(
            f"The entry {KEY!r} in the model info of {model} is incomplete: {error}. Run {remedy(model)}."
        ) from error


def with_record(info: ModelInfo, record: Record) -> ModelInfo:
    """Return the model info with the record of an IR."""
    return replace(info, extra={**info.extra, KEY: asdict(record)})


def with_reason(info: ModelInfo, reason: str) -> ModelInfo:
    """Return the model info with the reason why there is no IR."""
    return replace(info, extra={**info.extra, KEY: {"left_out": reason}})


def is_stale(model: Path, record: Record) -> bool:
    """Say whether the SavedModel is another one than the IR was made from."""
    return artifacts.network_sha256(artifacts.saved_model_folder(model)) != record.network_sha256


def check_undamaged(model: Path, record: Record) -> None:
    """Compare the IR's files with what was recorded when they were written.

    Raises:
        UserError: They are others.
    """
    folder = folder_of(model)
    missing = [name for name in artifacts.OPENVINO_FILES if not (folder / name).is_file()]
    found = f"lacks {' and '.join(missing)}" if missing else artifacts.folder_sha256(folder)
    if found != record.sha256:
        how = f"it {found}" if missing else f"it has sha256 {found}, and the model info records {record.sha256}"
        raise UserError(f"The OpenVINO IR in {folder} is corrupt: {how}. Copy the model again, or run {remedy(model)}.")


def remedy(model: Path) -> str:
    """Return the command that makes a new IR."""
    return f"scripts/convert-model {model}"
