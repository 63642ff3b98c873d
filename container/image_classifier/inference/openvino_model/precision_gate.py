"""The gate in front of a lower precision: what it may change on labelled images of validation.

Accuracy is judged by its measured drop and not by a confidence bound of it: on 200 images the upper bound of no
difference at all is already above half a point, so a bound would reject everything below several thousand images. What
chance can hide is limited by the label flips, without which no accuracy is lost. The bound is recorded for the reader.
"""

import math

import numpy as np
from numpy.typing import NDArray

from image_classifier.evaluation import calibration, paired
from image_classifier.evaluation.paired import Paired
from image_classifier.inference.openvino_model.agreement import two_columns
from image_classifier.inference.openvino_model.precision_record import Gate

LEAST_IMAGES = 200
"""Images of validation below which no lower precision is judged: one image of 200 is the largest drop."""
LARGEST_DROP = 0.005
"""Largest accepted drop in accuracy on the same images: half a point. A gain always passes."""
LARGEST_FLIPS = 0.02
"""Largest accepted share of images whose top-1 prediction differs from float32's."""
LARGEST_CALIBRATION_CHANGE = 0.01
"""Largest accepted rise of the expected calibration error, both in float32's bins."""
IMAGES, NUMBERS, ACCURACY, LABEL_FLIPS, CALIBRATION = "images", "numbers", "accuracy", "label_flips", "calibration"
"""Names of the bounds in `Gate.failed_on`; numbers: a probability of either is NaN or infinite."""
_ROUNDING = 1e-9
_Z_95_ONE_SIDED = 1.644854
"""95 % quantile of the normal distribution."""


def judge(
    labels: NDArray[np.int64], float32: NDArray[np.float32], lower: NDArray[np.float32], fitted: bool = False
) -> Gate:
    """Compare probabilities, (n, K) or (n, 1), of a lower precision with float32's of the same images.

    `labels` are the true classes, int64 (n,), n at least 1. `fitted` says that the head was fitted on these images too,
    which the record keeps for the reader.

    Raises:
        ValueError: The shapes differ, or there are no images.
    """
    if float32.shape != lower.shape or len(labels) != len(float32) or not len(labels):
        raise ValueError(f"probabilities {float32.shape} and {lower.shape} of {len(labels)} labels")
    finite = bool(np.isfinite(float32).all() and np.isfinite(lower).all())
    expected, found = (two_columns(np.where(np.isfinite(table), table, np.float32(0))) for table in (float32, lower))
    predicted, changed = expected.argmax(axis=1), found.argmax(axis=1)
    compared = paired.count(predicted == labels, changed == labels)
    flips = float((predicted != changed).mean())
    worse = calibration.change_of_calibration_error(expected, found, labels)
    exceeded = {
        IMAGES: len(labels) < LEAST_IMAGES,
        NUMBERS: not finite,
        ACCURACY: -compared.difference > LARGEST_DROP + _ROUNDING,
        LABEL_FLIPS: flips > LARGEST_FLIPS + _ROUNDING,
        CALIBRATION: worse > LARGEST_CALIBRATION_CHANGE + _ROUNDING,
    }
    failed_on = tuple(name for name, is_exceeded in exceeded.items() if is_exceeded)
    return Gate(
        images=len(labels),
        accuracy_f32=(compared.both_right + compared.only_first) / compared.total,
        accuracy=(compared.both_right + compared.only_second) / compared.total,
        drop_bound=_drop_bound(compared),
        label_flips=flips,
        calibration_change=worse,
        largest_difference=float(np.abs(expected - found).max()),
        passed=not failed_on,
        failed_on=failed_on,
        fitted=fitted,
    )


def _drop_bound(compared: Paired) -> float:
    """Return the one-sided bound of the adjusted Wald interval for matched pairs, see `Paired.interval`."""
    total = compared.total + 2
    lost, gained = compared.only_first + 0.5, compared.only_second + 0.5
    drop = (lost - gained) / total
    return min(drop + _Z_95_ONE_SIDED * math.sqrt(lost + gained - (lost - gained) ** 2 / total) / total, 1.0)


def sentence(gate: Gate) -> str:
    """Return the figures of a gate as a clause for the log and the report, without a full stop."""
    fitted = ", on which the refitted head was fitted too," if gate.fitted else ""
    return (
        f"on {gate.images:,} validation images{fitted} accuracy {gate.accuracy:.4f} "
        f"(float32: {gate.accuracy_f32:.4f}), {100 * gate.label_flips:.2f} % of the predictions differ, "
        f"calibration error {gate.calibration_change:+.4f}"
    )


def objection(gate: Gate) -> str:
    """Return which bounds a gate exceeds, as a clause for the log and the report; empty when it passed."""
    clauses = {
        IMAGES: f"{gate.images} validation images are fewer than the {LEAST_IMAGES} that it takes",
        NUMBERS: "it or float32 returns numbers that are not probabilities",
        ACCURACY: f"accuracy falls from {gate.accuracy_f32:.4f} to {gate.accuracy:.4f}, by more than {LARGEST_DROP}",
        LABEL_FLIPS: f"{100 * gate.label_flips:.2f} % of the predictions differ, more than {100 * LARGEST_FLIPS:g} %",
        CALIBRATION: f"the calibration error rises by {gate.calibration_change:.4f}, more than "
        f"{LARGEST_CALIBRATION_CHANGE}",
    }
    return "; ".join(clauses[name] for name in gate.failed_on if name in clauses)
