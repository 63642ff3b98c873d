import math

import numpy as np
import pytest
from sklearn import metrics

from image_classifier.evaluation import scores
from image_classifier.evaluation.scores import ClassScore
from image_classifier.evaluation.statistics import Interval, Proportion
from tests.unit.evaluation.labelled import answers_of, calibrated, split_of

_NAMES = ("ant", "bee", "cat", "dog", "eel")


def test_the_score_agrees_with_scikit_learn() -> None:
    """1,000 images of five classes -> accuracy, precision, recall, F1 and log loss as scikit-learn computes them."""
    split = calibrated(1000)
    found = scores.measure(split, _NAMES)
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(split.labels, split.predicted)
    assert found.accuracy.value == pytest.approx(metrics.accuracy_score(split.labels, split.predicted))
    assert [each.precision.value for each in found.classes] == pytest.approx(precision.tolist())
    assert [each.recall.value for each in found.classes] == pytest.approx(recall.tolist())
    assert [each.f1 for each in found.classes] == pytest.approx(f1.tolist())
    assert found.macro_f1 == pytest.approx(metrics.f1_score(split.labels, split.predicted, average="macro"))
    assert split.probabilities is not None
    probabilities = split.probabilities.astype(np.float64)
    expected = metrics.log_loss(split.labels, probabilities / probabilities.sum(axis=1, keepdims=True))
    assert found.log_loss == pytest.approx(expected, rel=1e-5)


def test_the_baseline_answers_the_most_frequent_class() -> None:
    """Three images of five are of one class -> the constant answer is right for three of five."""
    found = scores.measure(answers_of([1, 1, 1, 0, 2], [0, 1, 2, 0, 1], 3), _NAMES[:3])
    assert (found.baseline_class, found.baseline) == ("bee", Proportion(3, 5))
    assert found.accuracy == Proportion(2, 5)


def test_a_class_without_images_and_answers_has_no_f1() -> None:
    """A class of the model that the folder lacks -> its F1 is NaN and left out of the average."""
    found = scores.measure(answers_of([0, 0, 1], [0, 0, 1], 3), _NAMES[:3])
    assert math.isnan(found.classes[2].f1)
    assert found.classes[2].f1_interval == Interval(0.0, 1.0)
    assert found.macro_f1 == 1


def test_the_weakest_class_is_the_one_with_the_smallest_recall_and_more_images() -> None:
    """Two classes with recall 0, one of them larger, and one without images -> the larger one."""
    found = scores.measure(answers_of([0, 1, 2, 2], [0, 0, 0, 0], 4), _NAMES[:4])
    assert found.weakest.name == "cat"


@pytest.mark.parametrize(("recall", "images"), [(0.6, 40), (0.9, 200), (0.97, 20)])
def test_the_interval_of_f1_covers_the_true_one(recall: float, images: int) -> None:
    """2,000 draws of a class with a known F1 -> about 95 % of the intervals contain it."""
    rng = np.random.default_rng(images)
    others, false_rate = 5 * images, (1 - recall) / 5
    n = images + others
    # The number of images of the class varies as in a random sample of the population.
    cells = rng.multinomial(
        n,
        [images * recall / n, images * (1 - recall) / n, others * false_rate / n, others * (1 - false_rate) / n],
        2000,
    )
    true_f1 = 2 * images * recall / (2 * images * recall + images * (1 - recall) + others * false_rate)
    intervals = [_class_score(*map(int, draw[:3])).f1_interval for draw in cells]
    covered = np.mean([each.low <= true_f1 <= each.high for each in intervals])
    assert 0.93 <= covered <= 0.985


def test_the_interval_of_a_perfect_f1_of_few_images_has_a_width() -> None:
    """Five images, all right -> F1 is 1, and its interval reaches far below."""
    found = _class_score(5, 0, 0)
    assert found.f1 == 1
    assert found.f1_interval.low < 0.75
    assert found.f1_interval.high == pytest.approx(1)


def test_a_certain_wrong_answer_leaves_the_log_loss_finite() -> None:
    """A label with probability 0 -> a large, finite log loss."""
    found = scores.measure(split_of([1], [[1.0, 0.0]]), _NAMES[:2])
    assert 15 < found.log_loss < 17


def test_the_accuracy_of_some_rows_counts_those_alone() -> None:
    """Two of three rows chosen, one of them right -> one of two."""
    split = answers_of([0, 1, 1], [0, 0, 1], 2)
    assert scores.accuracy_of(split, np.array([1, 2])) == Proportion(1, 2)
    assert scores.accuracy_of(split, np.array([], np.int64)) == Proportion(0, 0)


def _class_score(right: int, missed: int, false: int) -> ClassScore:
    return ClassScore("class", Proportion(right, right + false), Proportion(right, right + missed))
