"""Distances between distributions, against SciPy's own tests and by hand."""

import numpy as np
import pytest
import scipy.stats

from image_classifier.evaluation.drift import distances
from image_classifier.evaluation.drift.profile import MOST_VALUES, Distribution

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize("shift", [0.0, 0.05, 0.2])
def test_kolmogorov_smirnov_equals_scipy(shift: float) -> None:
    """Given two samples that are kept in full -> statistic and asymptotic p-value are SciPy's."""
    first, second = RANDOM.normal(size=700), RANDOM.normal(shift, size=400)
    statistic, p_value = distances.kolmogorov_smirnov(Distribution.of(first), Distribution.of(second))
    expected = scipy.stats.ks_2samp(first.astype(np.float32), second.astype(np.float32), method="asymp")
    assert statistic == pytest.approx(expected.statistic, abs=1e-12)
    # SciPy's asymptotic road rounds the effective size; ours is the limit itself.
    assert p_value == pytest.approx(expected.pvalue, abs=0.02)


def test_thinned_samples_keep_the_statistic_to_a_thousandth() -> None:
    """Given 50,000 and 20,000 values, of which 1,001 are kept -> the statistic differs by at most 0.002."""
    first, second = RANDOM.normal(size=50_000), RANDOM.normal(0.1, size=20_000)
    assert len(Distribution.of(first).values) == MOST_VALUES
    statistic, _ = distances.kolmogorov_smirnov(Distribution.of(first), Distribution.of(second))
    assert statistic == pytest.approx(scipy.stats.ks_2samp(first, second).statistic, abs=0.002)


def test_chi_squared_equals_scipy() -> None:
    """Given two frequent samples of categories -> statistic and p-value are those of SciPy's contingency table."""
    before, now = {"a": 120, "b": 60, "c": 30}, {"a": 60, "b": 50, "c": 40}
    expected = scipy.stats.chi2_contingency([[120, 60, 30], [60, 50, 40]], correction=False)
    assert distances.chi_squared(before, now) == pytest.approx((expected.statistic, expected.pvalue))


def test_rare_categories_are_pooled() -> None:
    """Given 100 classes that a few images name each -> no false alarm by a chi-squared of tiny expectations."""
    p_values = []
    for _ in range(200):
        drawn = [RANDOM.multinomial(150, np.full(100, 0.01)) for _ in range(2)]
        before, now = ({str(index): int(n) for index, n in enumerate(counts)} for counts in drawn)
        p_values.append(distances.chi_squared(before, now)[1])
    assert np.mean(np.array(p_values) < 0.05) < 0.12


def test_a_single_category_differs_from_nothing() -> None:
    """Given one format on both sides -> no statistic and a p-value of 1; another format -> significant, all moved."""
    assert distances.chi_squared({"jpeg": 100}, {"jpeg": 50}) == (0.0, 1.0)
    assert distances.total_variation({"jpeg": 100}, {"jpeg": 50}) == 0
    assert distances.chi_squared({"jpeg": 100}, {"png": 50})[1] < 1e-6
    assert distances.total_variation({"jpeg": 100}, {"png": 50}) == 1


def test_stability_index_by_hand() -> None:
    """Given two values whose shares go from 1:1 to 1:3 -> (q - p) ln(q / p) summed, up to the half images."""
    before = Distribution.of([1.0] * 5000 + [2.0] * 5000)
    now = Distribution.of([1.0] * 2500 + [2.0] * 7500)
    expected = (0.25 - 0.5) * np.log(0.5) + (0.75 - 0.5) * np.log(1.5)
    assert distances.population_stability(before, now) == pytest.approx(expected, abs=2e-3)


@pytest.mark.parametrize(("now", "shifted"), [([300.0], False), ([224.0], True), ([301.0], True)])
def test_stability_index_of_a_constant(now: list[float], shifted: bool) -> None:
    """Given images that were all 300 pixels wide -> the same width is stable, any other one has shifted."""
    index = distances.population_stability(Distribution.of([300.0] * 500), Distribution.of(now * 200))
    assert (index > 1) is shifted
    assert index >= 0


def test_stability_index_of_equal_distributions_is_small() -> None:
    """Given samples of one distribution -> below the convention of 0.2, and far above it after a shift of one sigma."""
    before = Distribution.of(RANDOM.normal(size=1000))
    assert distances.population_stability(before, Distribution.of(RANDOM.normal(size=300))) < 0.1
    assert distances.population_stability(before, Distribution.of(RANDOM.normal(1, size=300))) > 0.5


@pytest.mark.parametrize("values", [[300.0], [120.0 * number for number in range(1, 11)]], ids=["one", "ten"])
def test_stability_index_of_equal_shares_is_zero_for_any_number_of_images(values: list[float]) -> None:
    """Given 5,000 and 40 images with the same shares of one width, or of ten -> 0: empty bins add nothing."""
    before, now = Distribution.of(values * (5000 // len(values))), Distribution.of(values * (40 // len(values)))
    assert distances.population_stability(before, now) == pytest.approx(0, abs=1e-3)
