from collections.abc import Callable

import numpy as np
import pytest
from cleanlab.rank import get_label_quality_scores
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from image_classifier.evaluation import label_issues
from image_classifier.evaluation.evidence import TRAINING, VALIDATION, Split
from image_classifier.evaluation.label_issues import LEAST_LEAD
from tests.support import stable_cleanlab
from tests.support.planted_labels import plant
from tests.unit.evaluation import real_features
from tests.unit.evaluation.labelled import answers_of, split_of


def digits() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return the standardised pixels of scikit-learn's 1,797 digits, and their labels."""
    data = load_digits()
    return ((data.data - data.data.mean(axis=0)) / (data.data.std(axis=0) + 1e-6)).astype(np.float32), data.target


def gaussians(count: int = 1000, classes: int = 5) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return features of classes that do not overlap."""
    rng = np.random.default_rng(1)
    labels = np.arange(count) % classes
    centres = 6 * rng.standard_normal((classes, 20))
    return (centres[labels] + rng.standard_normal((count, 20))).astype(np.float32), labels


@pytest.mark.parametrize("data", [gaussians, digits])
def test_flipped_labels_are_found(data: Callable[[], tuple[NDArray[np.float32], NDArray[np.int64]]]) -> None:
    """5 % of the labels flipped -> at least 70 % of them found, with precision 0.8, and the true class suggested."""
    features, labels = data()
    planted = plant(features, labels, share=0.05)
    issues = label_issues.find([planted.split])
    precision, recall = planted.precision_and_recall(issues)
    assert precision >= 0.8
    assert recall >= 0.7
    hits = [issue for issue in issues if issue.row in planted.flipped]
    assert np.mean([issue.suggested == planted.true[issue.row] for issue in hits]) > 0.95


@pytest.mark.every
@pytest.mark.slow
def test_flipped_labels_of_stamps_are_found_among_photographs(tmp_path_factory: pytest.TempPathFactory) -> None:
    """5 % of the stamps' labels flipped, ten draws -> at least 70 % found, precision 0.8; none flipped -> nothing."""
    features, labels = real_features.load(tmp_path_factory, "stamps")
    draws = [plant(features, labels, 0.05, seed) for seed in range(10)]
    found = [{issue.row for issue in label_issues.find([draw.split])} for draw in draws]
    hits = sum(len(rows & draw.flipped) for rows, draw in zip(found, draws, strict=True))
    assert hits / sum(map(len, found)) >= 0.8
    assert hits / sum(len(draw.flipped) for draw in draws) >= 0.7
    assert label_issues.find([plant(features, labels, 0).split]) == ()


@pytest.mark.every
@pytest.mark.slow
def test_flipped_labels_of_solar_cells_come_first(tmp_path_factory: pytest.TempPathFactory) -> None:
    """5 % of the labels of images that are hard to classify flipped -> the first issues of the list are the flipped."""
    features, labels = real_features.load(tmp_path_factory, "solar")
    planted = plant(features, labels, 0.05)
    issues = label_issues.find([planted.split])
    precision, recall = planted.precision_and_recall(issues)
    assert precision >= 0.4
    assert recall >= 0.65
    first = planted.precision_and_recall(issues[: len(planted.flipped) // 3])[0]
    assert first >= 0.8


def test_clean_labels_are_left_alone() -> None:
    """Separable classes without a flipped label -> nothing found."""
    assert label_issues.find([plant(*gaussians(), share=0).split]) == ()


def test_the_issues_are_those_of_cleanlab_in_its_order() -> None:
    """Digits with flipped labels -> cleanlab's own rows by normalised margin, where another class leads by 0.5."""
    planted = plant(*digits(), share=0.05)
    probabilities = np.asarray(planted.split.probabilities, np.float64)
    found = np.flatnonzero(stable_cleanlab.find(planted.split.labels, probabilities))
    scores = get_label_quality_scores(planted.split.labels, probabilities, method="normalized_margin")
    ranked = found[np.argsort(scores[found], kind="stable")]
    leads = probabilities.max(axis=1) - probabilities[np.arange(len(probabilities)), planted.split.labels]
    expected = ranked[leads[ranked] >= LEAST_LEAD]
    assert 0 < len(expected) < len(ranked)
    issues = label_issues.find([planted.split])
    assert [issue.row for issue in issues] == expected.tolist()
    assert [issue.suggested for issue in issues] == probabilities[expected].argmax(axis=1).tolist()
    assert [issue.score for issue in issues] == sorted(issue.score for issue in issues)
    assert all(issue.given != issue.suggested for issue in issues)


def test_several_splits_are_judged_together_and_named() -> None:
    """Digits in two splits, a third without probabilities -> the issues of all of them, with their own rows."""
    planted = plant(*digits(), share=0.05)
    whole = planted.split
    assert whole.probabilities is not None
    parts = [
        split_of(whole.labels[:1000], whole.probabilities[:1000], VALIDATION),
        Split("test", whole.folder, whole.files, whole.labels),
        split_of(whole.labels[1000:], whole.probabilities[1000:], TRAINING),
    ]
    rows = [
        issue.row + (1000 if issue.split == TRAINING else 0)
        for issue in label_issues.find(parts)
        if issue.split in (VALIDATION, TRAINING)
    ]
    assert rows == [issue.row for issue in label_issues.find([whole])]


def test_a_class_without_images_is_tolerated() -> None:
    """A class of the model that no image has -> the other classes' issues as before."""
    split = answers_of([0] * 50 + [1] * 50, [0] * 49 + [1] + [1] * 50, 3, confidence=0.98)
    (issue,) = label_issues.find([split])
    assert (issue.row, issue.given, issue.suggested) == (49, 0, 1)
    assert issue.score == pytest.approx((1 + 0.01 - 0.98) / 2, abs=1e-6)


@pytest.mark.parametrize("splits", [[], [answers_of([], [], 2)], [answers_of([1, 1], [0, 1], 2)]])
def test_fewer_than_two_classes_have_no_issues(splits: list[Split]) -> None:
    """No images, or images of one class -> nothing to compare, nothing found."""
    assert label_issues.find(splits) == ()
