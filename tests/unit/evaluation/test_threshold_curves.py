import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn import metrics

from image_classifier.evaluation import threshold_curves


def scored(images: int, levels: int, seed: int) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    """Return labels of both classes, and scores with ties where `levels` are few."""
    rng = np.random.default_rng(seed)
    positives = rng.random(images) < 0.3
    positives[:2] = [False, True]
    scores = rng.normal(positives.astype(float))
    return positives, np.asarray(np.round(scores * levels) / levels, np.float32)


@pytest.mark.parametrize("levels", [1, 5, 10**6])
@pytest.mark.parametrize("images", [2, 3, 40, 2000])
def test_the_points_are_those_of_scikit_learn(images: int, levels: int) -> None:
    """Few and many images, with and without equal scores -> scikit-learn's points of both curves, and its area."""
    for seed in range(5):
        positives, scores = scored(images, levels, seed)
        false_rates, true_rates = threshold_curves.roc(positives, scores)
        expected = metrics.roc_curve(positives, scores)
        np.testing.assert_allclose(false_rates, expected[0], rtol=1e-12)
        np.testing.assert_allclose(true_rates, expected[1], rtol=1e-12)
        assert threshold_curves.area(positives, scores) == pytest.approx(metrics.roc_auc_score(positives, scores))
        precisions, recalls = threshold_curves.precision_recall(positives, scores)
        curve = metrics.precision_recall_curve(positives, scores, drop_intermediate=True)
        np.testing.assert_allclose(precisions, curve[0][::-1], rtol=1e-12)
        np.testing.assert_allclose(recalls, curve[1][::-1], rtol=1e-12)


def test_a_score_that_says_nothing_has_half_of_the_area() -> None:
    """One score for all images -> 0.5, from corner to corner."""
    positives = np.array([False, True, True, False])
    false_rates, true_rates = threshold_curves.roc(positives, np.zeros(4, np.float32))
    assert (false_rates.tolist(), true_rates.tolist()) == ([0, 1], [0, 1])
    assert threshold_curves.area(positives, np.zeros(4, np.float32)) == 0.5
