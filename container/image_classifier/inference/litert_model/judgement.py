"""The judgement of a LiteRT file: how far its predictions are from those of the model that it was converted from."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from image_classifier.contract import names
from image_classifier.inference.litert_model.exchange import FLOAT32
from image_classifier.inference.openvino_model import agreement, precision_gate
from image_classifier.inference.openvino_model.precision_record import Gate


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """Comparison of a LiteRT file with its model on the same images."""

    images: int
    synthetic: bool
    largest_difference: float
    """Largest |Δp|; NaN when the file returns one."""
    flips: int
    """Images whose top-1 prediction differs."""
    gate: Gate | None
    """The figures that need labels; None for images without them."""
    objection: str | None
    """Why the file is not good enough, as a clause; None when it is, or when there are too few images to tell."""
    undecided: bool
    """Whether the images are too few, or synthetic, so that a lower precision cannot be judged on them."""


def judge(
    precision: str,
    expected: NDArray[np.float32],
    found: NDArray[np.float32],
    labels: NDArray[np.int64] | None,
    synthetic: bool,
) -> Judgement:
    """Judge a file of a precision, one of `exchange.PRECISIONS`, by probabilities (n, K) of the same n images.

    `labels` are the true classes, int64 (n,), None where they are unknown. A file in float32 must agree with its model
    within rounding. A lower precision must pass the bounds of `precision_gate`, of which label flips need no labels,
    on `precision_gate.LEAST_IMAGES` real images.
    """
    measured = agreement.measure(expected, found)
    flips = measured.other_answers + measured.close_answers
    gate = None if labels is None else precision_gate.judge(labels, expected, found)
    undecided = precision != FLOAT32 and (synthetic or len(expected) < precision_gate.LEAST_IMAGES)
    if not np.isfinite(found).all():
        objection = "it returns numbers that are not finite (NaN or infinity)"
    elif precision == FLOAT32:
        agrees = measured.largest_difference <= agreement.TOLERANCE and not measured.other_answers
        objection = "" if agrees else f"its probabilities differ by up to {measured.largest_difference:.4f}"
    elif undecided:
        objection = ""
    elif gate is not None:
        objection = precision_gate.objection(gate)
    else:
        objection = _too_many_flips(flips, len(expected))
    return Judgement(
        images=len(expected),
        synthetic=synthetic,
        largest_difference=measured.largest_difference,
        flips=flips,
        gate=gate,
        objection=objection or None,
        undecided=undecided,
    )


def _too_many_flips(flips: int, images: int) -> str:
    allowed = precision_gate.LARGEST_FLIPS
    if flips <= allowed * images:
        return ""
    return f"{100 * flips / images:.2f} % of the predictions differ, more than {100 * allowed:g} %"


def labels_of(folder_names: Sequence[str], class_names: Sequence[str]) -> NDArray[np.int64] | None:
    """Return the class index of each image, int64 (n,), None unless each folder's name, in NFC, is a class."""
    index = {names.normalised(name): number for number, name in enumerate(class_names)}
    if not set(folder_names) <= set(index):
        return None
    return np.array([index[name] for name in folder_names], np.int64)
