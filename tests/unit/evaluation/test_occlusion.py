import numpy as np
import pytest
from numpy.typing import NDArray

from image_classifier.evaluation import occlusion
from image_classifier.evaluation.occlusion import PASSES, OcclusionMap

SIZE = 112


class TexturePredictor:
    """Probabilities of two classes: horizontal and vertical stripes, by the share of pixels with such edges."""

    def __init__(self) -> None:
        self.predicted = 0
        self.largest_batch = 0

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return (n, 2) of pixels (n, h, w, 3)."""
        self.predicted += len(pixels)
        self.largest_batch = max(self.largest_batch, len(pixels))
        grey = pixels[..., 0].astype(np.float32)
        across = np.abs(np.diff(grey, axis=1)).mean(axis=(1, 2))
        down = np.abs(np.diff(grey, axis=2)).mean(axis=(1, 2))
        return np.asarray(np.stack([across, down], axis=1) / (across + down + 1)[:, np.newaxis], np.float32)


def stripes(vertical: bool) -> NDArray[np.uint8]:
    """Return an image of stripes of four pixels."""
    rows, columns = np.indices((SIZE, SIZE))
    levels = (columns if vertical else rows) // 4 % 2 * 200
    return np.repeat(levels[..., np.newaxis], 3, axis=2).astype(np.uint8)


def composed() -> NDArray[np.uint8]:
    """Return an image whose left half has horizontal stripes, and whose right half has vertical ones."""
    return np.hstack([stripes(vertical=False)[:, : SIZE // 2], stripes(vertical=True)[:, SIZE // 2 :]])


def share_on_the_left(found: OcclusionMap) -> float:
    """Return how much of the map lies in the left half."""
    return float(found.drops[:, :14].sum() / found.drops.sum())


@pytest.mark.parametrize(("class_index", "left"), [(0, 1.0), (1, 0.0)])
def test_half_of_the_class_is_found(class_index: int, left: float) -> None:
    """Two halves of two classes -> the map of each class lies in its half, and is reliable."""
    found = occlusion.explain(composed(), TexturePredictor(), class_index)

    assert found.class_index == class_index
    assert share_on_the_left(found) == pytest.approx(left, abs=0.15)
    assert found.drop_top > 2 * max(found.drop_random, 0)
    assert found.reliable


def test_small_object_is_refined() -> None:
    """Vertical stripes on a sixteenth of the image -> the largest drops are there, the rest is below a quarter."""
    pixels = np.full((SIZE, SIZE, 3), 90, np.uint8)
    pixels[8:36, 68:96] = stripes(vertical=True)[8:36, 68:96]
    found = occlusion.explain(pixels, TexturePredictor())
    inside = np.zeros((28, 28), bool)
    inside[2:9, 17:24] = True

    assert found.class_index == 1
    assert inside.ravel()[found.drops.argmax()]
    assert found.drops[~inside].mean() < 0.25 * found.drops[inside].mean()


def test_map_of_a_blind_model_is_not_reliable() -> None:
    """Probabilities that do not depend on the image, but for rounding -> no reliable map."""
    noise = np.random.default_rng(1)

    def predict(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.array([0.3, 0.7], np.float32) + noise.normal(0, 1e-4, (len(pixels), 2)).astype(np.float32)

    found = occlusion.explain(composed(), predict)

    assert found.class_index == 1
    assert not found.reliable


@pytest.mark.parametrize(
    ("drop_top", "drop_random", "reliable"),
    [(0.3, 0.1, True), (0.1, 0.3, False), (0.105, 0.1, False), (-0.05, -0.08, False), (0.02, -0.08, True)],
)
def test_reliability(drop_top: float, drop_random: float, reliable: bool) -> None:
    """Covering what is marked must lower the probability, and more than covering as much at random does."""
    found = OcclusionMap(0, 0.9, np.zeros((28, 28), np.float32), drop_top, drop_random)

    assert found.reliable is reliable


def test_number_and_size_of_batches() -> None:
    """One map -> the documented number of forward passes, at most 16 images at a time."""
    predict = TexturePredictor()
    occlusion.explain(composed(), predict)

    assert predict.predicted == PASSES
    assert predict.largest_batch == 16


def test_map_is_deterministic() -> None:
    """The same image twice -> equal maps and figures."""
    first, second = (occlusion.explain(composed(), TexturePredictor()) for _ in range(2))

    np.testing.assert_array_equal(first.drops, second.drops)
    assert (first.drop_top, first.drop_random) == (second.drop_top, second.drop_random)


def test_overlay_colours_what_matters() -> None:
    """A map with one marked corner -> colour there, grey elsewhere; an empty map -> grey everywhere."""
    drops = np.zeros((28, 28), np.float32)
    drops[:7, :7] = 0.4
    pixels = composed()[:90]
    marked = occlusion.overlay(pixels, OcclusionMap(0, 0.9, drops, 0.4, 0.1))
    empty = occlusion.overlay(pixels, OcclusionMap(0, 0.9, 0 * drops, 0, 0))

    assert marked.shape == pixels.shape
    assert (marked[:15, :15, 0].astype(int) - marked[:15, :15, 2] > 80).all()
    assert (np.ptp(marked[50:, 60:], axis=2) == 0).all()
    assert (np.ptp(empty, axis=2) == 0).all()


def test_any_shape_is_explained() -> None:
    """An image that is smaller than the grid, and one that is not square -> a map."""
    for shape in ((20, 25, 3), (60, 200, 3)):
        pixels = np.random.default_rng(2).integers(0, 255, shape, np.uint8)

        assert occlusion.explain(pixels, TexturePredictor()).drops.shape == (28, 28)
