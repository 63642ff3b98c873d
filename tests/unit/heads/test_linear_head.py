"""The convex head against scikit-learn, and the rows that break naive implementations."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from image_classifier.contract.errors import UserError
from image_classifier.heads import linear_head, logistic_regression, row_blocks, workers
from tests.support.feature_rows import FeatureSource

Rows = tuple[NDArray[np.float32], NDArray[np.int64]]


@pytest.fixture
def to_the_optimum(monkeypatch: pytest.MonkeyPatch) -> None:
    """A solver that stops later, so that solutions can be compared."""
    monkeypatch.setattr(logistic_regression, "TOLERANCE", 1e-6)


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several blocks of few rows."""
    monkeypatch.setattr(row_blocks, "BLOCK", 32)


def rows(count: int = 150, features: int = 20, classes: int = 3, seed: int = 1) -> Rows:
    """Draw rows, with features of different scales."""
    drawn, labels = FeatureSource(features, classes, 0.5).draw(count, seed)
    return drawn * np.linspace(0.5, 2, features, dtype=np.float32) + 3, labels


def reference(features: Any, labels: Any, strength: float, weights: Any = None) -> NDArray[np.float64]:
    """Return the probabilities of scikit-learn's head for the same rows, on features scaled as documented."""
    from sklearn.linear_model import LogisticRegression

    deviation = features.astype(np.float64).std(axis=0)
    scaled = (features - features.mean(axis=0)) / np.sqrt(deviation * np.median(deviation))
    model = LogisticRegression(C=strength, tol=1e-8, max_iter=10_000).fit(scaled, labels, weights)
    return np.asarray(model.predict_proba(scaled))


@pytest.mark.usefixtures("to_the_optimum", "small_blocks")
@pytest.mark.parametrize("strength", [0.003, 0.1, 3.0])
def test_multinomial_head_is_scikit_learns(strength: float) -> None:
    """Given three classes -> scikit-learn's probabilities, from features as they are."""
    features, labels = rows()
    found = linear_head.fit(features, labels, 3, strength)
    assert (found.kernel.dtype.name, found.kernel.shape, found.bias.shape) == ("float32", (20, 3), (3,))
    np.testing.assert_allclose(found.probabilities(features), reference(features, labels, strength), atol=5e-4)


@pytest.mark.usefixtures("to_the_optimum", "small_blocks")
def test_weights_count_as_in_scikit_learn() -> None:
    """Given sample weights -> scikit-learn's probabilities with them, which differ from those without."""
    features, labels = rows()
    weights = np.where(labels == 0, 5, 0.5).astype(np.float32)
    found = linear_head.fit(features, labels, 3, 0.1, sample_weights=weights).probabilities(features)
    np.testing.assert_allclose(found, reference(features, labels, 0.1, weights), atol=5e-4)
    assert np.abs(found - linear_head.fit(features, labels, 3, 0.1).probabilities(features)).max() > 0.1


@pytest.mark.usefixtures("to_the_optimum", "small_blocks")
def test_binary_head_is_scikit_learns_and_a_softmax_of_half_the_penalty() -> None:
    """Given two classes -> one sigmoid as in scikit-learn; two outputs share the weights, so that C counts half."""
    features, labels = rows(classes=2)
    expected = reference(features, labels, 0.1)
    found = linear_head.fit(features, labels, 2, 0.1, binary=True)
    assert found.probabilities(features).shape == (150, 1)
    np.testing.assert_allclose(found.probabilities(features)[:, 0], expected[:, 1], atol=5e-4)
    softmax = linear_head.fit(features, labels, 2, 0.05).probabilities(features)
    np.testing.assert_allclose(softmax, expected, atol=5e-4)


def test_constant_features_and_fewer_rows_than_features_are_harmless() -> None:
    """Given 12 rows of 40 features, some constant, one almost -> finite weights, a constant feature gets none."""
    features, labels = rows(12, 40)
    features[:, :10] = np.linspace(-1e4, 1e4, 10, dtype=np.float32)
    features[0, 10], features[1:, 10] = 1e-4, 0
    found = linear_head.fit(features, labels, 3, 1.0)
    assert np.isfinite(found.kernel).all()
    assert not found.kernel[:10].any()
    assert (linear_head.predicted(found.probabilities(features)) == labels).all()
    # The almost constant feature cannot decide alone in an image where it is as large as others.
    features[1:, 10] = 1
    assert (linear_head.predicted(found.probabilities(features)) == labels).all()


def test_only_constant_features_give_the_class_frequencies() -> None:
    """Given features that never vary -> each image gets the frequencies of the classes."""
    labels = np.array([0, 0, 0, 1])
    found = linear_head.fit(np.full((4, 5), 7, np.float32), labels, 3, 1.0).probabilities(np.zeros((1, 5), np.float32))
    np.testing.assert_allclose(found, [[0.75, 0.25, 0]], atol=0.02)


def test_large_logits_give_finite_probabilities() -> None:
    """Given logits far from zero -> probabilities of 0 and 1 without a warning."""
    huge = np.array([[-1e4], [1e4]], np.float32)
    assert linear_head.probabilities(huge).tolist() == [[0], [1]]
    assert linear_head.probabilities(np.hstack([huge, -huge])).tolist() == [[0, 1], [1, 0]]


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("binary", [False, True])
def test_bits_do_not_depend_on_cpus_nor_on_where_the_features_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, binary: bool
) -> None:
    """Given one CPU, three CPUs, or features in a file -> the same bits."""
    features, labels = rows(300, 130, classes=2)
    np.save(tmp_path / "features.npy", features)
    in_file = np.load(tmp_path / "features.npy", mmap_mode="r")
    found = []
    for cpus, given in ((1, features), (3, features), (2, in_file)):
        monkeypatch.setattr(workers, "available_processors", lambda cpus=cpus: cpus)
        head = linear_head.fit(given, labels, 2, 0.1, binary=binary)
        found.append(head.kernel.tobytes() + head.bias.tobytes())
    assert found[0] == found[1] == found[2]


def test_start_changes_the_way_but_not_the_head() -> None:
    """Given a head to start from -> fewer passes over the rows, and almost the same head."""
    features, labels = rows()
    passes: list[int] = []
    first = linear_head.fit(features, labels, 3, 0.1, check=lambda: passes.append(1))
    again: list[int] = []
    second = linear_head.fit(features, labels, 3, 0.1, start=first, check=lambda: again.append(1))
    np.testing.assert_allclose(second.probabilities(features), first.probabilities(features), atol=0.01)
    assert len(again) < len(passes) / 2


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_features_that_are_no_numbers_are_the_users_error(value: float) -> None:
    """Given NaN or infinity in one feature -> an error that counts such features."""
    features, labels = rows()
    features[7, 3] = value
    with pytest.raises(UserError, match="NaN or infinite: 1 of 20"):
        linear_head.fit(features, labels, 3, 0.1)
