import io
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from image_classifier.evaluation import familiarity
from image_classifier.evaluation.evidence import TRAINING, VALIDATION, Head, Split
from image_classifier.evaluation.familiarity import MAX_BYTES, FamiliarityModel
from tests.support.feature_rows import FeatureSource
from tests.support.least_squares import least_squares_head

CLASSES = 5
SOURCE = FeatureSource(256, CLASSES, separation=1.5)


def split(name: str, features: NDArray[np.float32], labels: NDArray[np.int64]) -> Split:
    """Return a split with features alone."""
    return Split(name, Path(), tuple(f"{row}.png" for row in range(len(labels))), labels, None, features)


@pytest.fixture(scope="module")
def training() -> Split:
    """1,200 rows of features."""
    return split(TRAINING, *SOURCE.draw(1200, seed=1))


@pytest.fixture(scope="module")
def validation() -> Split:
    """400 other rows."""
    return split(VALIDATION, *SOURCE.draw(400, seed=2))


@pytest.fixture(scope="module")
def head(training: Split) -> Head:
    """A head fitted on the training features."""
    assert training.features is not None
    return least_squares_head(training.features, training.labels, CLASSES)


@pytest.fixture(scope="module")
def model(training: Split, validation: Split, head: Head) -> FamiliarityModel:
    """The model under test."""
    assert training.features is not None
    assert validation.features is not None
    return familiarity.fit(training.features, validation.features, head)


def test_scores_of_new_images_are_uniform(model: FamiliarityModel) -> None:
    """Images of the same source as the validation images -> scores spread over [0, 1], half of them below 0.5."""
    scores = model.score(SOURCE.draw(1000, seed=3)[0])

    assert scores.min() >= 0
    assert scores.max() <= 1
    assert abs((scores < 0.5).mean() - 0.5) < 0.06
    assert abs((scores < 0.1).mean() - 0.1) < 0.04


def test_extremes_of_the_score(model: FamiliarityModel, validation: Split) -> None:
    """The least ordinary validation image scores 0; one that is more ordinary than all of them scores 1."""
    assert validation.features is not None
    scores = model.score(validation.features)

    assert scores[model.raw(validation.features).argmax()] == 0
    assert scores[model.raw(validation.features).argmin()] == pytest.approx(1, abs=0.004)
    assert model.score(model.origin[np.newaxis] + 0 * validation.features[:1]).shape == (1,)


def test_blank_and_noise_are_unfamiliar(model: FamiliarityModel, validation: Split) -> None:
    """Features of constant images, and of noise -> AUROC of at least 0.95; more images of the source -> about 0.5."""
    assert validation.features is not None
    noise = np.random.default_rng(4)
    spread = float(validation.features.std())
    blank = np.maximum(noise.normal(0, 0.05 * spread, (100, 256)), 0).astype(np.float32)
    shuffled = noise.permuted(validation.features, axis=1)
    familiar = model.raw(SOURCE.draw(400, seed=5)[0])

    assert familiarity.separation(familiar, model.raw(blank)) > 0.95
    assert familiarity.separation(familiar, model.raw(shuffled)) > 0.95
    assert familiarity.separation(model.raw(validation.features), familiar) == pytest.approx(0.5, abs=0.06)


def test_left_out_class_is_unfamiliar(training: Split, validation: Split, head: Head) -> None:
    """A class that was left out -> AUROC above 0.75; its images under random labels -> about 0.5."""
    found = familiarity.left_out(training, validation, head, 2, "roses")
    noise = np.random.default_rng(6)
    mixed = [
        split(one.name, one.features, noise.permutation(one.labels))
        for one in (training, validation)
        if one.features is not None
    ]
    control = familiarity.left_out(mixed[0], mixed[1], Head(0 * head.kernel, head.bias), 2, "roses")

    assert found is not None
    assert control is not None
    assert found.name == "class roses left out"
    assert found.images == (validation.labels == 2).sum()
    assert found.auroc > 0.75
    assert control.auroc == pytest.approx(0.5, abs=0.1)


def test_rare_class_is_not_left_out(training: Split, validation: Split, head: Head) -> None:
    """Fewer validation images of a class than show anything -> no separation."""
    labels = np.where(validation.labels == 2, 1, validation.labels)
    labels[:9] = 2
    assert validation.features is not None

    assert familiarity.left_out(training, split(VALIDATION, validation.features, labels), head, 2, "roses") is None


def test_binary_head_is_symmetric(training: Split, validation: Split) -> None:
    """A head with one logit -> the same scores when the two classes change places."""
    assert training.features is not None
    assert validation.features is not None
    kernel = least_squares_head(training.features, (training.labels > 2).astype(np.int64), 2).kernel[:, 1:]
    bias = np.array([0.3], np.float32)
    scores = [
        familiarity.fit(training.features, validation.features, Head(sign * kernel, sign * bias)).score(
            validation.features
        )
        for sign in (1, -1)
    ]

    np.testing.assert_array_equal(scores[0], scores[1])


def test_stored_model_gives_equal_scores(model: FamiliarityModel, validation: Split) -> None:
    """Written to an .npz file and read again -> scores that are equal to the bit."""
    assert validation.features is not None
    file = io.BytesIO()
    np.savez(file, **model.arrays())  # type: ignore[arg-type]
    file.seek(0)
    with np.load(file) as arrays:
        again = familiarity.from_arrays(dict(arrays))

    np.testing.assert_array_equal(again.score(validation.features), model.score(validation.features))


def test_arrays_of_two_models_are_rejected(model: FamiliarityModel) -> None:
    """A basis for other features -> an error, at loading."""
    with pytest.raises(ValueError, match="not one model"):
        familiarity.from_arrays(model.arrays() | {"basis": np.zeros((100, 20), np.float16)})


@pytest.mark.parametrize(
    ("features", "classes", "directions", "logits"),
    [(1280, 200, 75, 200), (2048, 200, 75, 200), (4096, 100, 75, 100), (4096, 1000, 75, 0), (1280, 1000, 75, 0)],
)
def test_size_is_bounded(features: int, classes: int, directions: int, logits: int) -> None:
    """Many features and classes -> at most `MAX_BYTES`: first fewer directions, then no logits."""
    noise = np.random.default_rng(7)
    rows = noise.standard_normal((300, features), np.float32)
    head = Head(noise.standard_normal((features, classes), np.float32), np.zeros(classes, np.float32))
    model = familiarity.fit(rows, rows[:50], head)

    assert sum(array.nbytes for array in model.arrays().values()) <= MAX_BYTES
    assert model.kernel.shape == (features, logits)
    assert model.basis.shape == (features, directions)
    assert np.isfinite(model.score(rows)).all()


def test_directions_are_dropped_before_the_logits() -> None:
    """A kernel that leaves memory for 42 directions instead of 75 -> 42 directions and the kernel."""
    noise = np.random.default_rng(8)
    rows = noise.standard_normal((300, 4096), np.float32)
    head = Head(noise.standard_normal((4096, 138), np.float32), np.zeros(138, np.float32))
    model = familiarity.fit(rows, rows[:50], head)

    assert model.kernel.shape == (4096, 138)
    assert model.basis.shape == (4096, 42)


def test_few_images_give_a_model() -> None:
    """Two training images and one validation image, all equal -> finite scores."""
    rows = np.ones((2, 8), np.float32)
    model = familiarity.fit(rows, rows[:1], Head(np.zeros((8, 3), np.float32), np.zeros(3, np.float32)))

    np.testing.assert_array_equal(model.score(rows), [0, 0])


def test_separation_counts_ties_by_half() -> None:
    """Scores compared by hand -> the share of pairs in order, ties by half; nothing to compare -> NaN."""
    assert familiarity.separation(np.array([1, 2, 3], np.float32), np.array([2, 4], np.float32)) == (1.5 + 3) / 6
    assert np.isnan(familiarity.separation(np.empty(0, np.float32), np.ones(1, np.float32)))


@pytest.mark.parametrize("factor", [1e7, 1e-9])
def test_kernel_beyond_half_precision_is_left_out(factor: float, training: Split, head: Head) -> None:
    """Features so small or large that the kernel leaves the range of float16 -> the residual alone, finite scores."""
    assert training.features is not None
    rows = training.features / np.float32(factor)
    model = familiarity.fit(rows, rows[:100], Head(head.kernel * np.float32(factor), head.bias))

    assert model.kernel.shape[1] == 0
    assert all(np.isfinite(array).all() for array in model.arrays().values())
    assert np.isfinite(model.score(rows)).all()
