"""Lower precisions of a model and what their gate found, from its model info.

Artefacts are untrusted: entries of another form are left out.
"""

import math
import numbers
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

KEY, LEFT_OUT = "precisions", "left_out"
"""As `inference.openvino_model.precision_record` writes them."""
INT8, BF16 = NAMES = ("int8", "bf16")
_FIGURES = ("images", "accuracy", "accuracy_f32", "label_flips", "calibration_change")


@dataclass(frozen=True)
class Judged:
    """A lower precision as its gate judged it on validation images, and the reason where the artefact lacks it."""

    left_out: str = ""
    """Without a full stop; empty where the artefact has the precision."""
    images: int | None = None
    """None: the gate was not reached; neither are the other figures known."""
    accuracy: float = math.nan
    accuracy_float32: float = math.nan
    """On the same images."""
    other_answers: float = math.nan
    """Share of the images whose predicted class differs from float32's, [0, 1]."""
    calibration_change: float = math.nan
    """Expected calibration error less that of float32."""
    largest_difference: float | None = None
    """Of a probability; None where it is not recorded."""
    fitted: bool = False
    """Whether the head was fitted on these images too."""


def judged(info: Mapping[str, Any]) -> dict[str, Judged]:
    """Return what is recorded of each precision: the figures of its gate, the reason why it was left out, or both."""
    entries = info.get(KEY)
    if not isinstance(entries, Mapping):
        return {}
    found = {name: _judged(entries[name]) for name in NAMES if isinstance(entries.get(name), Mapping)}
    return {name: one for name, one in found.items() if one is not None}


def _judged(entry: Mapping[str, Any]) -> Judged | None:
    reason, gate = str(entry.get(LEFT_OUT) or ""), entry.get("gate")
    values = [finite(gate.get(name)) for name in _FIGURES] if isinstance(gate, Mapping) else []
    known = [value for value in values if value is not None]
    if not isinstance(gate, Mapping) or len(known) < len(_FIGURES):
        return Judged(reason) if reason else None
    images, accuracy, float32, flips, change = known
    largest, fitted = finite(gate.get("largest_difference")), gate.get("fitted") is True
    return Judged(reason, int(images), accuracy, float32, flips, change, largest, fitted)


def finite(value: Any) -> float | None:
    """Return a number that is finite; None for anything else."""
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except OverflowError:
        # An integer of more digits than any float has.
        return None
    return number if math.isfinite(number) else None
