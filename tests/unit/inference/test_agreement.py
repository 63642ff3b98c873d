"""How far two tables of probabilities lie apart."""

import math

import numpy as np
import pytest

from image_classifier.inference.openvino_model import agreement

TABLES = [
    # the same answers; another one, too close to call; another one, clearly
    ([[0.9, 0.1]], [[0.8, 0.2]], 0.1, 0, 0),
    ([[0.5005, 0.4995]], [[0.4995, 0.5005]], 0.001, 0, 1),
    ([[0.9, 0.1]], [[0.4, 0.6]], 0.5, 1, 0),
    # The sigmoid form: 0.5 belongs to class 1.
    ([[0.4996]], [[0.5]], 0.0004, 0, 1),
    ([[0.5]], [[0.6]], 0.1, 0, 0),
    ([[0.2]], [[0.8]], 0.6, 1, 0),
]


@pytest.mark.parametrize(("expected", "found", "largest", "other", "close"), TABLES)
def test_differences_are_counted(
    expected: list[list[float]], found: list[list[float]], largest: float, other: int, close: int
) -> None:
    """Two tables of one image -> the largest difference, and another top-1 answer in its kind."""
    measured = agreement.measure(np.array(expected, np.float32), np.array(found, np.float32))
    assert measured.largest_difference == pytest.approx(largest, abs=1e-5)
    assert (measured.other_answers, measured.close_answers) == (other, close)


def test_what_is_no_number_is_not_hidden() -> None:
    """NaN in the second table -> a largest difference that passes no comparison."""
    measured = agreement.measure(np.ones((2, 3), np.float32), np.array([[1, 1, 1], [1, np.nan, 1]], np.float32))
    assert math.isnan(measured.largest_difference)
    assert not measured.largest_difference <= agreement.TOLERANCE
