"""Thresholds: what answering only above a confidence gives and costs."""

from pathlib import Path

import numpy as np
import pytest

from image_classifier.console.judging import thresholds
from image_classifier.console.judging.thresholds import Costs
from image_classifier.evaluation import calibration
from image_classifier.evaluation.evidence import Split
from tests.support import evaluations


def split(*confidences: tuple[float, bool]) -> Split:
    """Return two classes with these confidences of the answer, and whether it is right."""
    probabilities = np.array([[value, 1 - value] for value, _ in confidences], np.float32)
    labels = np.array([0 if right else 1 for _, right in confidences], np.int64)
    return Split("test", Path(), tuple(map(str, range(len(labels)))), labels, probabilities)


def test_coverage_and_precision_are_those_of_the_report() -> None:
    """Given a split -> at each of the report's thresholds the same coverage and accuracy."""
    judged = evaluations.split(Path(), "test", ("a", "b", "c"), 500)
    found = thresholds.curve(judged)
    for one in calibration.measure(judged).thresholds:
        chosen = thresholds.choice(found, one.confidence, Costs())
        assert (chosen.coverage, chosen.precision) == (one.coverage, one.accuracy)


def test_cost_counts_errors_and_checks() -> None:
    """Given four images -> the cost is that of the wrong answers and of the images below the threshold."""
    found = thresholds.curve(split((0.95, True), (0.85, False), (0.75, True), (0.55, False)))
    costs = Costs(error=10, check=1)
    assert thresholds.choice(found, 0.0, costs).cost == pytest.approx(20 / 4)
    assert thresholds.choice(found, 0.8, costs).cost == pytest.approx((10 + 2) / 4)
    assert thresholds.choice(found, 0.9, costs).cost == pytest.approx(3 / 4)
    assert thresholds.cheapest(found, costs).threshold == pytest.approx(0.86)
    assert thresholds.cheapest(found, Costs(error=1, check=10)).threshold == 0


def test_threshold_that_answers_nothing_has_no_precision() -> None:
    """Given a threshold above every confidence -> nothing is answered, and the cost is that of the checks."""
    chosen = thresholds.choice(thresholds.curve(split((0.6, True))), 1.0, Costs(error=9, check=2))
    assert chosen.precision.total == 0
    assert chosen.cost == 2


@pytest.mark.parametrize(
    ("given", "expected"), [("0,5", 0.5), ("2", 1.0), ("-1", 0.0), ("nan", 0.9), ("", 0.9), (None, 0.9), ("x", 0.9)]
)
def test_number_of_a_form_is_bounded(given: str | None, expected: float) -> None:
    """Given what a user typed -> a number in the range, or the usual one."""
    assert thresholds.number(given, 0.9, 1.0) == expected
