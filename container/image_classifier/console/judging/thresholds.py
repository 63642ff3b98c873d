"""Answering only above a confidence: what each threshold gives, and which one costs the least."""

import math
from dataclasses import dataclass

import numpy as np

from image_classifier.evaluation.evidence import Split
from image_classifier.evaluation.statistics import Proportion

STEPS = 100
"""Thresholds from 0 to 1 in steps of one hundredth."""
USUAL = 0.9
MOST_COST = 1e9


@dataclass(frozen=True)
class Curve:
    """Images by threshold, from 0 to 1 in `STEPS` steps."""

    total: int
    answered: tuple[int, ...]
    """Images with at least this confidence."""
    right: tuple[int, ...]
    """Those of them whose answer is right."""


@dataclass(frozen=True)
class Costs:
    """What a wrong answer and a manual check cost, in any one unit."""

    error: float = 10.0
    check: float = 1.0


@dataclass(frozen=True)
class AtThreshold:
    """One threshold."""

    threshold: float
    coverage: Proportion
    """Images that are answered; the others are checked by a person."""
    precision: Proportion
    """Right ones among the answered."""
    cost: float
    """Of one image on average, wrong answers and manual checks together."""


def curve(split: Split) -> Curve:
    """Count the images of a split that has probabilities."""
    assert split.probabilities is not None
    confidence, right = split.probabilities.max(axis=1).astype(np.float64), split.predicted == split.labels
    limits = np.arange(STEPS + 1) / STEPS
    answered, of_right = np.sort(confidence), np.sort(confidence[right])
    return Curve(
        len(split),
        tuple((len(answered) - np.searchsorted(answered, limits)).tolist()),
        tuple((len(of_right) - np.searchsorted(of_right, limits)).tolist()),
    )


def choice(found: Curve, threshold: float, costs: Costs) -> AtThreshold:
    """Return what a threshold gives; it is rounded to a step."""
    index = step(threshold)
    answered, right = found.answered[index], found.right[index]
    cost = ((answered - right) * costs.error + (found.total - answered) * costs.check) / found.total
    return AtThreshold(index / STEPS, Proportion(answered, found.total), Proportion(right, answered), cost)


def cheapest(found: Curve, costs: Costs) -> AtThreshold:
    """Return the threshold of the least cost, of equal ones the smallest."""
    return min((choice(found, index / STEPS, costs) for index in range(STEPS + 1)), key=lambda one: one.cost)


def step(threshold: float) -> int:
    """Return the number of the step that is nearest to a threshold."""
    return min(max(round(threshold * STEPS), 0), STEPS)


def number(given: str | None, usual: float, most: float) -> float:
    """Return a number of a form, from 0 to `most`; the usual one if it is not a number."""
    try:
        found = float((given or "").replace(",", "."))
    except ValueError:
        return usual
    return min(max(found, 0.0), most) if math.isfinite(found) else usual
