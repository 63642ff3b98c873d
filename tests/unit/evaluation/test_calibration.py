import itertools
import math

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.calibration import calibration_curve
from sklearn.linear_model import LogisticRegression

from image_classifier.evaluation import calibration, scores
from image_classifier.evaluation.evidence import Split
from image_classifier.evaluation.statistics import Proportion
from tests.unit.evaluation.labelled import answers_of, calibrated, split_of


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_the_temperature_of_synthetic_logits_is_recovered(temperature: float) -> None:
    """Logits that were multiplied by T -> T within 5 %, and probabilities as calibrated as before."""
    split = calibrated(20_000, temperature=temperature)
    assert calibration.fit_temperature(_probabilities(split), split.labels) == pytest.approx(temperature, rel=0.05)


@pytest.mark.parametrize("temperature", [0.6, 1.7])
def test_the_temperature_agrees_with_a_logistic_regression(temperature: float) -> None:
    """Two classes, 400 images -> scikit-learn's slope of the logit without intercept and penalty, which is 1 / T."""
    split = calibrated(400, 2, temperature)
    probabilities = _probabilities(split).astype(np.float64)
    logit = np.log(probabilities[:, 1:] / probabilities[:, :1])
    slope = LogisticRegression(C=1e10, fit_intercept=False, tol=1e-10).fit(logit, split.labels).coef_[0, 0]
    assert calibration.fit_temperature(_probabilities(split), split.labels) == pytest.approx(1 / slope, rel=1e-3)


@pytest.mark.parametrize(("right", "temperature"), [(True, 0.2), (False, 5.0)])
def test_the_temperature_stays_in_its_range(right: bool, temperature: float) -> None:
    """Uncertain and always right, or certain and always wrong -> the ends of the range."""
    answers = np.arange(200) % 2
    split = answers_of((answers if right else 1 - answers).tolist(), answers.tolist(), 2, 0.6 if right else 0.99)
    assert calibration.fit_temperature(_probabilities(split), split.labels) == pytest.approx(temperature, rel=1e-3)


def test_a_temperature_of_one_leaves_probabilities_as_they_are() -> None:
    """T = 1 -> the same probabilities; a larger T -> the same order, less certain."""
    split = calibrated(50)
    probabilities = _probabilities(split)
    np.testing.assert_allclose(calibration.apply_temperature(probabilities, 1.0), probabilities, atol=1e-6)
    softer = calibration.apply_temperature(probabilities, 3.0)
    assert (softer.argmax(axis=1) == split.predicted).all()
    assert (softer.max(axis=1) < probabilities.max(axis=1)).all()


def test_ece_agrees_with_scikit_learns_reliability_curve() -> None:
    """1,500 images in 15 bins of 100 -> the weighted gap of scikit-learn's quantile bins."""
    split = calibrated(1500, temperature=2)
    confidence = _probabilities(split).max(axis=1)
    share_right, mean = calibration_curve(split.predicted == split.labels, confidence, n_bins=15, strategy="quantile")
    found = calibration.measure(split)
    assert [each.confidence for each in found.bins] == pytest.approx(mean.tolist(), abs=2e-3)
    assert [each.accuracy.total for each in found.bins] == [100] * 15
    assert found.ece == pytest.approx(float(np.abs(share_right - mean).mean()), abs=1e-3)


def test_ece_agrees_with_a_loop_over_bins() -> None:
    """777 images, bins of unequal size -> the definition written as a loop."""
    split = calibrated(777, temperature=0.7)
    rows = sorted(range(777), key=lambda row: float(_probabilities(split)[row].max()))
    edges = [index * 777 // 15 for index in range(16)]
    expected = 0.0
    for start, stop in itertools.pairwise(edges):
        part = rows[start:stop]
        mean = sum(float(_probabilities(split)[row].max()) for row in part) / len(part)
        right = sum(bool(split.predicted[row] == split.labels[row]) for row in part) / len(part)
        expected += abs(mean - right) * len(part) / 777
    assert calibration.measure(split).ece == pytest.approx(expected, abs=1e-6)


def test_images_of_equal_confidence_share_a_bin() -> None:
    """600 answers of confidence 0.8, sorted by class, of which 80 % are right -> one bin, and an ECE of 0."""
    labels = [0] * 480 + [1] * 120
    split = answers_of(labels, [0] * 600, 2, confidence=0.8)
    found = calibration.measure(split)
    assert [each.accuracy for each in found.bins] == [Proportion(480, 600)]
    assert found.ece == pytest.approx(0, abs=1e-6)


def test_the_interval_of_ece_separates_overconfidence_from_chance() -> None:
    """Calibrated probabilities -> an ECE that chance explains, from 0; logits doubled -> one that it does not."""
    honest, overconfident = (calibration.measure(calibrated(2000, temperature=t)) for t in (1.0, 2.0))
    assert honest.ece <= honest.ece_by_chance < 0.05
    assert honest.ece_interval.low == 0
    assert overconfident.ece > 3 * overconfident.ece_by_chance
    assert 0.1 < overconfident.ece_interval.low < overconfident.ece < overconfident.ece_interval.high


def test_the_interval_of_ece_covers_the_ece_of_the_population() -> None:
    """20 samples of 500 overconfident answers -> at least 17 of the intervals contain the ECE of 100,000."""
    population = calibrated(100_000, temperature=1.6, seed=99)
    true_ece = calibration.expected_calibration_error(_probabilities(population), population.labels)
    intervals = [calibration.measure(calibrated(500, temperature=1.6, seed=seed)).ece_interval for seed in range(20)]
    assert sum(each.low <= true_ece <= each.high for each in intervals) >= 17


def test_cross_fitting_repairs_overconfidence_and_leaves_calibrated_probabilities() -> None:
    """Logits doubled -> ECE and NLL fall; calibrated -> neither changes much."""
    honest, overconfident = (calibration.measure(calibrated(3000, temperature=t)) for t in (1.0, 2.0))
    assert overconfident.ece_after is not None
    assert overconfident.nll_after is not None
    assert honest.nll_after is not None
    assert overconfident.ece_after < overconfident.ece / 3
    assert overconfident.nll_after < overconfident.nll - 0.1
    assert honest.nll_after == pytest.approx(honest.nll, abs=0.005)


def test_cross_fitting_uses_the_other_folds_alone() -> None:
    """100 images -> the NLL afterwards is above that of the temperature that was fitted on all of them."""
    split = calibrated(100, temperature=1.5)
    found = calibration.measure(split)
    assert found.temperature is not None
    fitted = calibration.apply_temperature(_probabilities(split), found.temperature)
    assert found.nll_after is not None
    assert found.nll_after > float(-np.log(fitted[np.arange(100), split.labels]).mean()) + 1e-4


def test_few_images_get_no_temperature() -> None:
    """99 images -> measured, in fewer bins, but no temperature."""
    found = calibration.measure(calibrated(99))
    assert (found.temperature, found.ece_after, found.nll_after) == (None, None, None)
    assert len(found.bins) == 9


def test_nll_and_brier_agree_with_their_definitions() -> None:
    """Two images -> the values computed by hand."""
    found = calibration.measure(split_of([0, 1], [[0.5, 0.5, 0.0], [0.2, 0.7, 0.1]]))
    assert found.nll == pytest.approx(-(math.log(0.5) + math.log(0.7)) / 2)
    assert found.brier == pytest.approx((0.25 + 0.25 + 0.04 + 0.09 + 0.01) / 2)


def test_thresholds_trade_coverage_for_accuracy() -> None:
    """Answers of 0.95, 0.75 and 0.55, the last one wrong -> the table row by row, and it ends where nothing is left."""
    split = split_of([0, 1, 1, 0], [[0.95, 0.05], [0.25, 0.75], [0.05, 0.95], [0.45, 0.55]])
    found = {each.confidence: each for each in calibration.measure(split).thresholds}
    assert list(found) == [0.5, 0.6, 0.7, 0.8, 0.9, 0.95][: len(found)]
    assert (found[0.5].coverage, found[0.5].accuracy) == (Proportion(4, 4), Proportion(3, 4))
    assert [found[0.5].precision, found[0.5].recall] == pytest.approx([(1 + 2 / 3) / 2, 0.75])
    assert (found[0.6].coverage, found[0.6].accuracy) == (Proportion(3, 4), Proportion(3, 3))
    assert (found[0.9].precision, found[0.9].recall) == (1, 0.5)
    assert 0.99 not in found


def test_a_split_without_probabilities_is_rejected() -> None:
    """No probabilities -> an error that names the split."""
    split = calibrated(5)
    with pytest.raises(ValueError, match="validation has no probabilities"):
        calibration.measure(Split(split.name, split.folder, split.files, split.labels))


def _probabilities(split: Split) -> NDArray[np.float32]:
    assert split.probabilities is not None
    return split.probabilities


def test_nll_is_the_log_loss_of_the_score() -> None:
    """A certain answer that is wrong, whose logarithm has to be bounded -> the same number in both sections."""
    split = split_of([0] * 99 + [1], [[1.0, 0.0]] * 100)
    found = calibration.measure(split)
    assert found.nll == scores.measure(split, ("a", "b")).log_loss
    assert found.nll_after is not None
