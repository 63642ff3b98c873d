import numpy as np
import pytest
from cleanlab.rank import get_label_quality_scores
from numpy.typing import NDArray

from image_classifier.evaluation import confident_learning
from tests.support import stable_cleanlab


def noisy(images: int, classes: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return labels of unequal classes, a tenth of them wrong, and probabilities that are unsure of some."""
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.full(classes, 0.7))
    true = rng.choice(classes, images, p=shares)
    logits = rng.normal(0, 1.5, (images, classes))
    logits[np.arange(images), true] += 3
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    labels = np.where(rng.random(images) < 0.1, rng.integers(0, classes, images), true)
    return labels.astype(np.int64), odds / odds.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("images", [12, 60, 2000])
@pytest.mark.parametrize("classes", [2, 3, 10, 60])
def test_the_rows_are_those_of_cleanlab(images: int, classes: int) -> None:
    """Few and many images and classes, some classes with one image or none -> cleanlab's rows and label qualities."""
    listed = 0
    for seed in range(10):
        labels, probabilities = noisy(images, classes, seed)
        # cleanlab rejects labels of a single class.
        labels[:2] = [0, 1]
        found = confident_learning.contradicted(labels, probabilities)
        np.testing.assert_array_equal(found, stable_cleanlab.find(labels, probabilities))
        expected = get_label_quality_scores(labels, probabilities, method="normalized_margin")
        np.testing.assert_allclose(confident_learning.label_quality(labels, probabilities), expected, rtol=1e-12)
        listed += int(found.sum())
    assert listed


def test_images_that_are_alike_to_the_heads_are_chosen_by_their_row() -> None:
    """Twenty images with the same wrong answer, of which half count as wrong -> the same ones on every machine."""
    labels = np.repeat([0, 1], [60, 60])
    probabilities = np.tile([0.9, 0.1], (120, 1))
    probabilities[60:] = [0.1, 0.9]
    probabilities[:20] = [0.3, 0.7]
    found = confident_learning.contradicted(labels, probabilities)
    rows = np.flatnonzero(found).tolist()
    assert rows == list(range(len(rows)))
