import numpy as np
from sklearn import metrics

from image_classifier.evaluation import mistakes
from image_classifier.evaluation.mistakes import Confusion
from tests.unit.evaluation.labelled import calibrated, split_of


def test_the_matrix_is_that_of_scikit_learn_with_rows_of_absent_classes() -> None:
    """500 images of five of six classes -> scikit-learn's matrix, whose last row is empty."""
    split = calibrated(500)
    expected = metrics.confusion_matrix(split.labels, split.predicted, labels=range(6))
    assert mistakes.find(split, 6).matrix.tolist() == expected.tolist()


def test_mistakes_are_ordered_by_frequency_and_certainty() -> None:
    """Three images of one confusion and one of another -> the frequent one first, in each the most certain first."""
    split = split_of(
        [1, 1, 0, 1, 2],
        [[0.0, 0.4, 0.6], [0.0, 0.1, 0.9], [0.2, 0.8, 0.0], [0.0, 0.3, 0.7], [0.0, 0.0, 1.0]],
    )
    found = mistakes.find(split, 3)
    assert found.confusions == (Confusion(1, 2, (1, 3, 0)), Confusion(0, 1, (2,)))
    assert found.confidently_wrong == (1, 2, 3, 0)
    assert found.most_uncertain == (0, 3, 2, 1, 4)


def test_the_lists_of_rows_are_bounded() -> None:
    """More mistakes than the limit -> the most certain and the most uncertain ones alone; every cell stays complete."""
    split = calibrated(500)
    found = mistakes.find(split, 5, limit=7)
    assert len(found.confidently_wrong) == len(found.most_uncertain) == 7
    assert sum(len(each.rows) for each in found.confusions) == (split.predicted != split.labels).sum()


def test_a_split_without_mistakes_has_none() -> None:
    """All answers right -> nothing but uncertain images."""
    split = split_of([0, 1], np.eye(2))
    found = mistakes.find(split, 2)
    assert (found.confusions, found.confidently_wrong) == ((), ())
    assert found.most_uncertain == (0, 1)
