"""Lower precisions of a model in words, from its model info. Artefacts are untrusted: other forms are left out."""

import numbers
from collections.abc import Mapping
from typing import Any

KEY, LEFT_OUT = "precisions", "left_out"
"""As `inference.openvino_model.precision_record` writes them."""
NAMES = ("int8", "bf16")


def described(info: Mapping[str, Any]) -> dict[str, str]:
    """Return for each recorded precision the figures of its gate, or the reason why it was left out."""
    entries = info.get(KEY)
    if not isinstance(entries, Mapping):
        return {}
    found = {name: _sentence(entries[name]) for name in NAMES if isinstance(entries.get(name), Mapping)}
    return {name: sentence for name, sentence in found.items() if sentence}


def _sentence(entry: Mapping[str, Any]) -> str:
    if reason := entry.get(LEFT_OUT):
        return f"left out: {reason}"
    gate = entry.get("gate")
    names = ("images", "accuracy", "accuracy_f32", "label_flips", "calibration_change")
    found = [gate.get(name) for name in names] if isinstance(gate, Mapping) else []
    values = [value for value in found if isinstance(value, numbers.Real)]
    if len(values) < len(names):
        return ""
    images, accuracy, float32, flips, change = map(float, values)
    return (
        f"accuracy {accuracy:.4f} on {images:,.0f} validation images (float32: {float32:.4f}), {100 * flips:.2f} % "
        f"other predictions, calibration error {change:+.4f}"
    )
