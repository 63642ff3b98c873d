"""The record of a model folder's lower precisions: which of them passed the gate, with which figures.

The key `precisions` of the model info maps "int8" and "bf16" to a record, or to `{"left_out": reason}`. Standard
library only: the server reads it before its slow imports.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from image_classifier import artifacts
from image_classifier.artifacts import ModelInfo
from image_classifier.contract.errors import UserError
from image_classifier.inference.openvino_model import ir_record, record_fields
from image_classifier.inference.openvino_model.ir_record import Record
from image_classifier.inference.openvino_model.record_fields import Expected

KEY = "precisions"
"""Key among the extra entries of the model info."""
INT8, BF16 = PRECISIONS = ("int8", "bf16")
"""The recorded precisions."""
_LEFT_OUT = "left_out"


@dataclass(frozen=True, kw_only=True)
class Gate:
    """Comparison of a lower precision with float32 on labelled images, see `precision_gate.judge`."""

    images: int
    accuracy_f32: float
    accuracy: float
    """Of the lower precision, on the same images."""
    drop_bound: float
    """Upper 95 % confidence bound of the drop in accuracy, one-sided, for matched pairs; recorded, not gated."""
    label_flips: float
    """Share of the images whose top-1 prediction differs, [0, 1]."""
    calibration_change: float
    """Expected calibration error of the lower precision less that of float32, [-1, 1]."""
    largest_difference: float
    """Largest |Δp|."""
    passed: bool
    failed_on: tuple[str, ...]
    """Names of the bounds that it exceeds, see `precision_gate`; empty when it passed."""
    fitted: bool = False
    """Whether the head was fitted on these images too, by a refit: on unseen ones more answers may differ."""


@dataclass(frozen=True, kw_only=True)
class Gated:
    """A precision in which the IR was judged; the whole record of bf16, which has no file of its own."""

    f32_sha256: str
    """Digest of the float32 IR that it was made of, as `ir_record.Record.sha256`."""
    gate: Gate


@dataclass(frozen=True, kw_only=True)
class Quantised(Gated):
    """The int8 IR beside the float32 one."""

    sha256: str
    """Digest of its folder, see `artifact_checksums.folder_sha256`."""
    tool: str
    """The program that quantised it, with its version: "nncf 3.4.0"."""
    steps: tuple[str, ...]
    """The rungs of the ladder that were tried, in order; the last one made the file."""
    statistics_images: int
    """Number of training images whose activations set the ranges."""
    seconds: float
    """Duration of quantisation and gate."""
    head_images: int = 0
    """Number of training images that the last layer was refitted on; 0 where it is that of float32."""
    whole_range: bool = False
    """Whether weights use the whole 8-bit range, which needs one of the instructions of `processors.INT8`."""


_SHARE, _CHANGE = record_fields.number(0, 1), record_fields.number(-1, 1)
_GATE = {
    "images": record_fields.whole(1),
    "accuracy_f32": _SHARE,
    "accuracy": _SHARE,
    "drop_bound": _CHANGE,
    "label_flips": _SHARE,
    "calibration_change": _CHANGE,
    "largest_difference": _SHARE,
    "passed": record_fields.BOOLEAN,
    "failed_on": record_fields.TEXTS,
    "fitted": record_fields.BOOLEAN,
}
_GATED = {"f32_sha256": record_fields.TEXT, "gate": record_fields.OBJECT}
_QUANTISED = {
    **_GATED,
    "sha256": record_fields.TEXT,
    "tool": record_fields.TEXT,
    "steps": record_fields.TEXTS,
    "statistics_images": record_fields.whole(0),
    "seconds": record_fields.number(0),
    "head_images": record_fields.whole(0),
    "whole_range": record_fields.BOOLEAN,
}
_OF_LATER_VERSIONS = {"head_images": 0, "whole_range": False}
"""What an older record lacks, and what it means."""
_OF_LATER_GATES = {"fitted": False}
"""The same of a gate."""


def folder_of(model: Path) -> Path:
    """Return the folder of a model folder's int8 IR."""
    return model / artifacts.OPENVINO_INT8_DIR


def left_out(info: ModelInfo, precision: str) -> str | None:
    """Return the recorded reason why there is no such precision; None when there is one, or nothing is recorded."""
    reason = _entry(info, precision).get(_LEFT_OUT)
    return None if reason is None else " ".join(str(reason).split())


def read_int8(model: Path, info: ModelInfo) -> Quantised | None:
    """Return the record of a model folder's int8 IR; None when it has none.

    Raises:
        UserError: A value of the record is missing, or of another type or range.
    """
    return recorded_int8(info, model) if folder_of(model).is_dir() else None


def recorded_int8(info: ModelInfo, model: Path = Path()) -> Quantised | None:
    """Return the record of an int8 IR, whether or not its files are there; `model` is for the error.

    Raises:
        UserError: A value of the record is missing, or of another type or range.
    """
    found = _entry(info, INT8)
    if not found or _LEFT_OUT in found:
        return None
    values = _checked({**_OF_LATER_VERSIONS, **found}, _QUANTISED, model, INT8)
    return Quantised(**{**values, "steps": tuple(values["steps"])})


def read_bf16(model: Path, info: ModelInfo) -> Gated | None:
    """Return the record of bf16; None when it was not judged.

    Raises:
        UserError: A value of the record is missing, or of another type or range.
    """
    found = _entry(info, BF16)
    return None if not found or _LEFT_OUT in found else Gated(**_checked(found, _GATED, model, BF16))


def _entry(info: ModelInfo, precision: str) -> Mapping[str, Any]:
    entries = info.extra.get(KEY)
    found = entries.get(precision) if isinstance(entries, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _checked(found: Mapping[str, Any], expected: Mapping[str, Expected], model: Path, precision: str) -> dict[str, Any]:
    """Return the expected values of an entry, its gate as a `Gate`."""
    wrong = record_fields.problem(found, expected) or _wrong_gate(found["gate"])
    if wrong:
        raise UserError(
            f"The entry {KEY}.{precision} in the model info of {model} is invalid: {wrong}. Run {remedy(model)}, or "
            "set SERVE_PRECISION to f32."
        )
    gate = {**_OF_LATER_GATES, **{name: value for name, value in found["gate"].items() if name in _GATE}}
    values = {name: found[name] for name in expected}
    return {**values, "gate": Gate(**{**gate, "failed_on": tuple(gate["failed_on"])})}


def _wrong_gate(gate: Mapping[str, Any]) -> str | None:
    wrong = record_fields.problem({**_OF_LATER_GATES, **gate}, _GATE, prefix="gate.")
    if wrong is None and gate["passed"] == bool(gate["failed_on"]):
        return f"gate.passed is {gate['passed']}, but gate.failed_on is {list(gate['failed_on'])}"
    return wrong


def with_record(info: ModelInfo, precision: str, record: Gated) -> ModelInfo:
    """Return the model info with the record of a precision; other precisions' entries stay."""
    return _with_entry(info, precision, asdict(record))


def with_reason(info: ModelInfo, precision: str, reason: str, gate: Gate | None = None) -> ModelInfo:
    """Return the model info with the reason for a missing precision, without a full stop, and the figures of a gate."""
    return _with_entry(info, precision, {_LEFT_OUT: reason, **({"gate": asdict(gate)} if gate else {})})


def _with_entry(info: ModelInfo, precision: str, entry: Mapping[str, Any]) -> ModelInfo:
    entries = info.extra.get(KEY)
    known = dict(entries) if isinstance(entries, Mapping) else {}
    return replace(info, extra={**info.extra, KEY: {**known, precision: dict(entry)}})


def without(info: ModelInfo, precision: str) -> ModelInfo:
    """Return the model info without the entry of a precision."""
    entries = info.extra.get(KEY)
    if not isinstance(entries, Mapping) or precision not in entries:
        return info
    kept = {name: entry for name, entry in entries.items() if name != precision}
    extra = {key: value for key, value in info.extra.items() if key != KEY}
    return replace(info, extra={**extra, KEY: kept} if kept else extra)


def is_stale(record: Gated, float32: Record | None) -> bool:
    """Return whether a precision was judged against another float32 IR than `float32`, the recorded one, or None."""
    return float32 is None or record.f32_sha256 != float32.sha256


def check_undamaged(model: Path, record: Quantised) -> None:
    """Compare the int8 IR's files with the recorded checksum.

    Raises:
        UserError: A file is missing, or the checksum differs.
    """
    ir_record.check_files(folder_of(model), record.sha256, "int8 OpenVINO IR", remedy(model))


def remedy(model: Path) -> str:
    """Return the command that creates a new int8 IR."""
    return f"scripts/convert-model {model} --quantize --images DIR"
