"""The precision in which OpenVINO computes: the requested one, or the fastest that passed its gate and pays here.

Not even NumPy is imported: `serve` needs the choice before it starts the server.
"""

from dataclasses import dataclass, field
from pathlib import Path

from image_classifier.artifacts import ModelInfo
from image_classifier.contract.errors import UserError
from image_classifier.inference.openvino_model import ir_record, precision_record
from image_classifier.inference.openvino_model.ir_record import Record
from image_classifier.inference.openvino_model.precision_record import Quantised
from image_classifier.resources import processors

F32, BF16, INT8, AUTO = NAMES = ("f32", "bf16", "int8", "auto")
"""Values of SERVE_PRECISION; a network computes in one of the first three."""


@dataclass(frozen=True)
class PrecisionChoice:
    """The precision chosen for a model folder's OpenVINO network, and the files that it runs."""

    precision: str
    """One of `F32`, `BF16` and `INT8`."""
    network: Path
    """Folder of the IR."""
    reason: str
    """Why, as a clause for the log, without a full stop; empty for the default, f32."""
    note: str | None = None
    """One sentence for the server's operator, for the log."""
    float32: Record | None = field(default=None, compare=False)
    int8: Quantised | None = field(default=None, compare=False)
    """Record of the IR that runs; the other one is None."""

    def check_undamaged(self, model: Path) -> None:
        """Compare the files that run with their recorded checksum.

        Raises:
            UserError: A file is missing, or the checksum differs.
        """
        if self.int8 is not None:
            precision_record.check_undamaged(model, self.int8)
        elif self.float32 is not None:
            ir_record.check_undamaged(model, self.float32)


def choose(model: Path, info: ModelInfo, float32: Record, wanted: str) -> PrecisionChoice:
    """Choose the precision of a model folder whose float32 IR, recorded in `float32`, is usable.

    `auto` takes int8 where its file passed its gate and this CPU has instructions for it, else bf16 where it passed its
    gate and is faster on this CPU (`processors.fast_bfloat16`), else f32. `bf16` is served without either too, with a
    note.

    Raises:
        UserError: This CPU or the model does not have the requested precision, or its record is incomplete.
    """
    if wanted == INT8:
        return _int8(model, _required_int8(model, info, float32), "SERVE_PRECISION is int8", _slow_int8())
    if wanted == BF16:
        require_bfloat16()
        return _float(model, float32, BF16, "SERVE_PRECISION is bf16", _bf16_note(model, info, float32))
    if wanted == AUTO:
        return _fastest(model, info, float32)
    return _float(model, float32, F32, reason="")


def require_bfloat16() -> None:
    """Check that this CPU has bfloat16 instructions; OpenVINO would silently compute in float32 without them.

    Raises:
        UserError: It has none.
    """
    if not processors.has_bfloat16():
        raise UserError(
            "SERVE_PRECISION is bf16, but this CPU has no bfloat16 instructions (neither avx512_bf16 nor amx_bf16). "
            "Unset the variable, or choose an instance type whose CPU has them."
        )


def _fastest(model: Path, info: ModelInfo, float32: Record) -> PrecisionChoice:
    lack, int8 = _int8_lack(model, info, float32)
    fast = processors.int8_features()
    if int8 is not None and fast:
        return _int8(model, int8, f"SERVE_PRECISION is auto: int8 passed its gate, and this CPU has {fast[0]}")
    stale = int8 is None and precision_record.read_int8(model, info) is not None
    note = f"SERVE_PRECISION is auto, but {lack}. Run {precision_record.remedy(model)}." if stale else None
    why = [f"no int8, since {lack or 'this CPU has no fast int8 instructions'}"]
    lack, slow = _bf16_lack(model, info, float32), _slow_bf16()
    if lack is None and slow is None:
        reason = f"bf16 passed its gate, and this CPU has {processors.fast_bfloat16()}; {why[0]}"
        return _float(model, float32, BF16, f"SERVE_PRECISION is auto: {reason}", note)
    why.append(f"no bf16, since {slow or lack}")
    return _float(model, float32, F32, f"SERVE_PRECISION is auto: {'; '.join(why)}", note)


def _int8(model: Path, record: Quantised, reason: str, note: str | None = None) -> PrecisionChoice:
    return PrecisionChoice(INT8, precision_record.folder_of(model), reason, note, int8=record)


def _float(model: Path, record: Record, precision: str, reason: str, note: str | None = None) -> PrecisionChoice:
    return PrecisionChoice(precision, ir_record.folder_of(model), reason, note, float32=record)


def _required_int8(model: Path, info: ModelInfo, float32: Record) -> Quantised:
    lack, record = _int8_lack(model, info, float32)
    if record is None:
        raise UserError(
            f"SERVE_PRECISION is int8, but {lack}. Set it to f32 or auto, or run {precision_record.remedy(model)}."
        )
    if record.whole_range and not processors.int8_features():
        raise UserError(
            f"SERVE_PRECISION is int8, but this CPU has none of {_int8_names()}, without which the int8 network of "
            f"{model} is computed wrongly. Set it to f32 or auto, choose an instance type whose CPU has one, or run "
            f"{precision_record.remedy(model)} on this one."
        )
    return record


def _int8_lack(model: Path, info: ModelInfo, float32: Record) -> tuple[str | None, Quantised | None]:
    """Return either why the int8 network cannot be used, as a clause, or its record."""
    record = precision_record.read_int8(model, info)
    if record is None:
        reason = precision_record.left_out(info, precision_record.INT8)
        return f"{model} has no int8 network" + (f" ({reason})" if reason else ""), None
    if precision_record.is_stale(record, float32):
        folder = precision_record.folder_of(model)
        return f"the int8 network in {folder} was made of another OpenVINO IR than the one beside it", None
    if not record.gate.passed:
        return f"the int8 network of {model} did not pass its gate ({', '.join(record.gate.failed_on)})", None
    return None, record


def _bf16_lack(model: Path, info: ModelInfo, float32: Record) -> str | None:
    """Return why bf16 counts as not gated, as a clause; None when it passed."""
    record = precision_record.read_bf16(model, info)
    if record is None:
        reason = precision_record.left_out(info, precision_record.BF16)
        return f"{model} has no passed gate for bf16" + (f" ({reason})" if reason else "")
    if precision_record.is_stale(record, float32):
        return f"bf16 was gated with another OpenVINO IR than the one in {model}"
    if not record.gate.passed:
        return f"{model} did not pass its gate in bf16 ({', '.join(record.gate.failed_on)})"
    return None


def _slow_bf16() -> str | None:
    """Return why bf16 is not faster than f32 on this CPU, as a clause; None where it is."""
    if processors.fast_bfloat16():
        return None
    if found := processors.bfloat16_features():
        return f"this CPU has {found[0]} without amx_bf16, by which bf16 is faster than f32 on CPUs of AMD alone"
    return "this CPU has no bfloat16 instructions"


def _bf16_note(model: Path, info: ModelInfo, float32: Record) -> str | None:
    """Return what speaks against bf16, which was asked for."""
    lack, slow = _bf16_lack(model, info, float32), _slow_bf16()
    against = [clause for clause in (lack, slow) if clause]
    worse = [word for word, clause in (("less accurate", lack), ("slower", slow)) if clause]
    found = f"SERVE_PRECISION is bf16, but {', and '.join(against)}. Its predictions may be {' and '.join(worse)} "
    return f"{found}than those of f32." if against else None


def _slow_int8() -> str | None:
    if processors.int8_features():
        return None
    return f"SERVE_PRECISION is int8, but this CPU has none of {_int8_names()}: it gains less here."


def _int8_names() -> str:
    return f"{', '.join(processors.INT8[:-1])} and {processors.INT8[-1]}"
