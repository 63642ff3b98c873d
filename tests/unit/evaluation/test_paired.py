"""Paired comparison: McNemar's exact test and the interval of a difference."""

import numpy as np
import pytest
from scipy import stats

from image_classifier.evaluation import paired
from image_classifier.evaluation.paired import Paired


@pytest.mark.parametrize(("first", "second"), [(0, 0), (3, 3), (0, 5), (12, 2), (40, 61), (700, 810)])
def test_p_value_is_that_of_the_binomial_test(first: int, second: int) -> None:
    """Given images on which one is right alone -> SciPy's two-sided binomial test of a fair coin."""
    expected = stats.binomtest(first, first + second).pvalue if first + second else 1.0
    assert Paired(100, first, second, 7).p_value == pytest.approx(expected, rel=1e-9)


def test_interval_covers_the_true_difference() -> None:
    """Given 2,000 draws of 200 images -> the interval holds the true difference in about 95 % of them."""
    noise = np.random.default_rng(0)
    drawn = noise.multinomial(200, (0.7, 0.06, 0.12, 0.12), size=2000)
    held = [Paired(*counts.tolist()).interval for counts in drawn]
    assert 0.94 < np.mean([one.low <= 0.06 <= one.high for one in held]) < 0.97


def test_counts_by_who_is_right() -> None:
    """Given which model is right on six images -> the four counts, and the difference of the accuracies."""
    first = np.array([1, 1, 1, 0, 0, 0], bool)
    second = np.array([1, 1, 0, 1, 1, 0], bool)
    found = paired.count(first, second)
    assert found == Paired(2, 1, 2, 1)
    assert found.difference == pytest.approx(second.mean() - first.mean())
    assert not found.is_significant
