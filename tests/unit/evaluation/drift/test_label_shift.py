"""Label shift: class frequencies estimated from predictions alone."""

import numpy as np
import pytest

from image_classifier.evaluation.drift import label_shift

CONFUSION = np.array([[90, 10, 0], [5, 90, 5], [10, 10, 80]])
NAMES = ("cat", "dog", "fox")


def predictions(shares: list[float], count: int = 2000) -> np.ndarray:
    """Return how often each class is predicted where the labels have some shares."""
    rates = CONFUSION / CONFUSION.sum(axis=1, keepdims=True)
    return np.random.default_rng(3).multinomial(count, np.array(shares) @ rates)


@pytest.mark.parametrize("shares", [[1 / 3, 1 / 3, 1 / 3], [0.8, 0.1, 0.1], [0.0, 0.1, 0.9]])
def test_shares_are_recovered(shares: list[float]) -> None:
    """Given predictions of a shifted population -> its shares within 0.05, and inside their intervals."""
    found = label_shift.estimate(CONFUSION, predictions(shares), NAMES)
    assert found is not None
    assert [one.estimated for one in found.classes] == pytest.approx(shares, abs=0.05)
    assert sum(one.estimated for one in found.classes) == pytest.approx(1)
    for one, share in zip(found.classes, shares, strict=True):
        assert one.interval.low - 0.02 <= share <= one.interval.high + 0.02


def test_plain_counts_of_predictions_would_be_wrong() -> None:
    """Given a population of one class only -> the estimate says so, although 20 % of the answers name others."""
    answers = predictions([0.0, 0.0, 1.0])
    assert answers[2] / answers.sum() < 0.85
    found = label_shift.estimate(CONFUSION, answers, NAMES)
    assert found is not None
    assert found.classes[2].estimated > 0.95


def test_expected_accuracy_follows_the_classes() -> None:
    """Given production of the weakest class alone -> the accuracy to expect is that class's recall."""
    found = label_shift.estimate(CONFUSION, predictions([0.0, 0.0, 1.0]), NAMES)
    assert found is not None
    assert found.accuracy == pytest.approx(260 / 300)
    assert found.expected_accuracy == pytest.approx(0.8, abs=0.01)


def test_too_many_classes_give_none() -> None:
    """Given 301 classes that the model tells apart perfectly -> no estimate, which would take minutes of a job."""
    names = tuple(map(str, range(label_shift.MOST_CLASSES + 1)))
    confusion = np.eye(len(names), dtype=np.int64) * 10
    assert label_shift.estimate(confusion, np.full(len(names), 5), names) is None


@pytest.mark.parametrize(
    "confusion", [[[50, 50, 0], [50, 50, 0], [0, 0, 100]], [[90, 10, 0], [5, 95, 0], [0, 0, 0]]], ids=["same", "absent"]
)
def test_matrix_that_does_not_determine_the_shares_gives_none(confusion: list[list[int]]) -> None:
    """Given two classes with the same answers, or one without images -> no estimate instead of noise."""
    assert label_shift.estimate(np.array(confusion), predictions([0.3, 0.3, 0.4]), NAMES) is None
