import math

import numpy as np
import pytest
from scipy import stats

from image_classifier.evaluation.exact_test import difference_p_value
from image_classifier.evaluation.statistics import Interval, Proportion, discoveries


@pytest.mark.parametrize(("count", "total"), [(0, 1), (1, 1), (0, 30), (30, 30), (3, 7), (95, 100), (88_123, 100_000)])
def test_the_interval_of_a_proportion_is_scipys_wilson_interval(count: int, total: int) -> None:
    """Proportions at the ends, of few and of many images -> the bounds that SciPy gives."""
    expected = stats.binomtest(count, total).proportion_ci(method="wilson")
    found = Proportion(count, total).interval
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-7)


def test_a_proportion_of_nothing_is_unknown() -> None:
    """No trials -> no value, and the interval that says nothing."""
    assert math.isnan(Proportion(0, 0).value)
    assert Proportion(0, 0).interval == Interval(0.0, 1.0)


@pytest.mark.parametrize(("count", "total"), [(2, 1), (-1, 1), (0, -1)])
def test_an_impossible_proportion_is_rejected(count: int, total: int) -> None:
    """More successes than trials, or fewer than none, as a file may claim -> an error."""
    with pytest.raises(ValueError, match="is impossible"):
        Proportion(count, total)


@pytest.mark.parametrize("planted", [0, 1, 20])
def test_discoveries_are_those_of_scipys_procedure(planted: int) -> None:
    """Uniform p-values with and without small ones among them -> the tests that SciPy's adjusted p-values accept."""
    rng = np.random.default_rng(planted)
    p_values = np.concatenate([rng.random(200), rng.random(planted) * 1e-4])
    expected = stats.false_discovery_control(p_values) <= 0.05
    assert discoveries(p_values.tolist()) == expected.tolist()
    assert sum(discoveries(p_values.tolist())) >= planted


def test_no_tests_give_no_discoveries() -> None:
    """An empty list -> an empty list."""
    assert discoveries([]) == []


@pytest.mark.parametrize(
    ("first", "second"),
    [((3, 7), (9, 10)), ((0, 5), (0, 9)), ((5, 5), (5, 5)), ((30, 40), (450, 560)), ((120, 400), (5_000, 20_000))],
)
def test_the_difference_of_proportions_is_scipys_exact_test(first: tuple[int, int], second: tuple[int, int]) -> None:
    """Few and many images, equal shares and different ones -> the p-value of SciPy's Fisher test."""
    expected = stats.fisher_exact([[count, total - count] for count, total in (first, second)]).pvalue
    assert difference_p_value(Proportion(*first), Proportion(*second)) == pytest.approx(expected, rel=1e-6)
