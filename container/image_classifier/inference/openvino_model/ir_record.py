"""The record of a model folder's OpenVINO IR: whether there is one, how it was verified, and whether it is intact."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from image_classifier import artifact_checksums, artifacts
from image_classifier.artifacts import ModelInfo
from image_classifier.contract.errors import UserError

KEY = "openvino"
"""Key among the extra entries of the model info."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """What the model info records about the IR beside it."""

    sha256: str
    """Digest of the IR's folder, see `artifact_checksums.folder_sha256`."""
    network_sha256: str
    """Digest of the SavedModel that it was converted from, see `artifact_checksums.network_sha256`."""
    version: str
    """Version of OpenVINO that converted it."""
    images: int
    """Number of images on which it was compared with TensorFlow."""
    synthetic: bool
    """Whether these were synthetic."""
    largest_difference: float
    """Largest |Δp| against TensorFlow, both in float32."""
    other_answers: int
    """Differing top-1 predictions, see `Agreement.other_answers`."""
    close_answers: int
    """Differing top-1 predictions within rounding, see `Agreement.close_answers`."""
    seconds: float
    """Duration of conversion and verification."""


def folder_of(model: Path) -> Path:
    """Return the folder of a model folder's IR."""
    return model / artifacts.OPENVINO_DIR


def read_record(model: Path, info: ModelInfo) -> Record | None:
    """Return the record of a model folder's IR, None when there is no IR.

    Raises:
        UserError: The record is incomplete.
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
    """Return the model info with the reason for the missing IR."""
    return replace(info, extra={**info.extra, KEY: {"left_out": reason}})


def is_stale(model: Path, record: Record) -> bool:
    """Return whether the SavedModel differs from the one that the IR was converted from."""
    return artifact_checksums.network_sha256(artifacts.saved_model_folder(model)) != record.network_sha256


def check_undamaged(model: Path, record: Record) -> None:
    """Compare the IR's files with the recorded checksum.

    Raises:
        UserError: A file is missing, or the checksum differs.
    """
    check_files(folder_of(model), record.sha256, "OpenVINO IR", remedy(model))


def check_files(folder: Path, sha256: str, what: str, command: str) -> None:
    """Compare the two files of an IR with its checksum; `what` names it, `command` makes a new one, in the error.

    Raises:
        UserError: A file is missing, or the checksum differs.
    """
    missing = [name for name in artifacts.OPENVINO_FILES if not (folder / name).is_file()]
    found = f"lacks {' and '.join(missing)}" if missing else artifact_checksums.folder_sha256(folder)
    if found != sha256:
        how = f"it {found}" if missing else f"it has sha256 {found}, but the model info records {sha256}"
        raise UserError(f"The {what} in {folder} is corrupt: {how}. Copy the model again, or run {command}.")


def remedy(model: Path) -> str:
    """Return the command that creates a new IR."""
    return f"scripts/convert-model {model}"
