"""The eight resize methods against TensorFlow's."""

import numpy as np
import pytest

from image_classifier import imaging
from image_classifier.imaging import resampling
from tests.unit.imaging.samples import PLAIN, encode

SIZES = [(64, 96), (224, 224), (301, 150), (7, 400)]
ROUNDING = dict.fromkeys(imaging.RESIZE_METHODS, 1) | {"nearest": 0, "bicubic": 2, "lanczos3": 2}
"""Levels, on smooth images. Pillow rounds and clips to whole levels between the two passes, which overshooting
kernels multiply: its bicubic and lanczos3 differ by up to 13 and 19 at hard edges (126 images of the sample data at
224), and by up to 26 and 49 on white noise of odd sizes."""


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("method", imaging.RESIZE_METHODS)
def test_each_method_equals_tensorflows(method: str, size: tuple[int, int]) -> None:
    """Up and down to odd sizes by each of the eight -> tf.image.resize with antialiasing, but for rounding."""
    import tensorflow as tf

    ours = imaging.load_pixels(encode(PLAIN, "PNG"), size, method).astype(int)
    theirs = np.clip(np.rint(tf.image.resize(PLAIN, size, method, antialias=True).numpy()), 0, 255)
    assert np.abs(ours - theirs).max() <= ROUNDING[method]


@pytest.mark.parametrize("count", [10, pytest.param(40, marks=pytest.mark.every)])
@pytest.mark.parametrize("method", resampling.METHODS)
def test_methods_that_pillow_lacks_equal_tensorflows_at_any_size_and_contrast(method: str, count: int) -> None:
    """White noise of seeded sizes -> at most one level apart in one of ten pixels; nearest equal."""
    import tensorflow as tf

    random = np.random.default_rng(5)
    for height, width, to_height, to_width in random.integers(1, 300, (count, 4)).tolist():
        pixels = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
        ours = resampling.resize(pixels, (to_height, to_width), method).astype(int)
        exact = tf.image.resize(pixels, (to_height, to_width), method, antialias=True).numpy().astype(float)
        apart = np.abs(ours - np.clip(np.rint(exact), 0, 255))
        assert apart.max() <= ROUNDING[method]
        # Averages of a few whole levels often end in a half, which goes up or down by the order of a sum.
        assert np.count_nonzero(apart) <= apart.size / 10


def test_image_in_strips_is_the_image_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same image multiplied in strips of a row and in one piece -> the same levels, but for a rounding."""
    for method in ("area", *resampling.KERNELS):
        at_once = resampling.resize(PLAIN, (40, 50), method).astype(int)
        with monkeypatch.context() as small:
            small.setattr(resampling, "_BLOCK_LEVELS", 1)
            assert np.abs(resampling.resize(PLAIN, (40, 50), method) - at_once).max() <= 1


def test_methods_differ_from_each_other() -> None:
    """The same image by each method -> eight different results, so that the comparison above can fail."""
    results = {imaging.load_pixels(encode(PLAIN, "PNG"), (30, 40), m).tobytes() for m in imaging.RESIZE_METHODS}
    assert len(results) == len(imaging.RESIZE_METHODS)


@pytest.mark.parametrize("method", ["area", *resampling.KERNELS])
def test_weights_add_up(method: str) -> None:
    """Weights up and down -> every row adds up to one; the same size -> every pixel itself for area."""
    for source, target in ((10, 3), (3, 10), (5, 5)):
        np.testing.assert_allclose(resampling.weights(method, source, target).sum(axis=1), 1, atol=1e-6)
    assert np.array_equal(resampling.weights("area", 4, 4), np.eye(4, dtype=np.float32))
