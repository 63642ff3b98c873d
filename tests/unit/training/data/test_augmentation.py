"""What an image is changed by, drawn as a pure function, and what it then looks like, against Keras' own layers."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from numpy.typing import NDArray

from image_classifier.training.data import augmentation
from tests.unit.training import small

SIZE = (32, 41)
ROTATION = "augmentation_random_rotation"
ZOOM = "augmentation_random_zoom"
FLIP = "augmentation_random_flip"
NOTHING: dict[str, Any] = {FLIP: "None", ROTATION: 0, ZOOM: 0}


def draw(count: int, **given: Any) -> NDArray[np.float32]:
    """Draw the transforms of the first images, with nothing but what is given."""
    return augmentation.draw(small.settings(augmentation=True, **NOTHING | given), SIZE, 0, np.arange(count))


def transformed(pixels: NDArray[np.float32], transforms: NDArray[np.float32]) -> NDArray[np.float32]:
    """Apply transforms."""
    return np.asarray(augmentation.apply(tf.constant(pixels), tf.constant(transforms)))


def smooth_images(count: int) -> NDArray[np.float32]:
    """Return images of slow waves, which interpolation hardly changes."""
    random = np.random.default_rng(5)
    y, x = np.mgrid[: SIZE[0], : SIZE[1]] / 10
    phase = random.uniform(0, 6, (count, 1, 1, 3))
    waves = np.sin(x[..., None] + phase) + np.cos(0.7 * y[..., None] - phase)
    return np.asarray(127 + 60 * waves, np.float32)


def noise(count: int) -> NDArray[np.float32]:
    """Return images of which no two pixels are alike."""
    return np.random.default_rng(6).uniform(0, 255, (count, *SIZE, 3)).astype(np.float32)


def test_nothing_to_change() -> None:
    """No flip, factors of 0 -> every image stays as it is, to the bit."""
    images = noise(3)
    assert np.array_equal(transformed(images, draw(3)), images)


@pytest.mark.parametrize(
    ("flip", "axes"), [("horizontal", {2}), ("vertical", {1}), ("horizontal_and_vertical", {1, 2})]
)
def test_flips(flip: str, axes: set[int]) -> None:
    """A kind of flip -> images mirrored along its axes alone, as NumPy mirrors them, and all of its cases occur."""
    images = noise(16)
    transforms = draw(16, **{FLIP: flip})
    seen = set()
    for image, transform, result in zip(images, transforms, transformed(images, transforms), strict=True):
        mirrored = tuple(axis for axis, sign in ((1, transform[4]), (2, transform[0])) if sign < 0)
        seen.add(mirrored)
        assert np.array_equal(result, np.flip(image, tuple(axis - 1 for axis in mirrored)))
    assert len(seen) == 2 ** len(axes)
    assert {axis for mirrored in seen for axis in mirrored} == axes


def assert_is_layer(transforms: NDArray[np.float32], layer_of: Callable[[NDArray[np.float32]], Any]) -> None:
    """Check that each transform gives the image that Keras's layer for it gives."""
    images = noise(len(transforms))
    for image, transform, result in zip(images, transforms, transformed(images, transforms), strict=True):
        np.testing.assert_allclose(result, layer_of(transform)(image, training=True), atol=0.05)


@pytest.mark.parametrize("factor", [0.3, -0.3])
def test_rotation_is_that_of_the_layer(factor: float) -> None:
    """A drawn rotation -> the image that RandomRotation gives with this angle fixed; the sign does not matter."""
    transforms = draw(4, **{ROTATION: factor})

    def layer(transform: NDArray[np.float32]) -> Any:
        turn = float(np.arctan2(transform[3], transform[0]) / (2 * np.pi))
        return tf_keras.layers.RandomRotation((turn, turn))

    assert_is_layer(transforms, layer)
    assert np.array_equal(transforms, draw(4, **{ROTATION: abs(factor)}))


@pytest.mark.parametrize("factor", [0.4, -0.4])
def test_zoom_is_that_of_the_layer(factor: float) -> None:
    """A drawn zoom -> the image that RandomZoom gives with this factor fixed; the sign does not matter."""
    transforms = draw(4, **{ZOOM: factor})

    def layer(transform: NDArray[np.float32]) -> Any:
        zoom = float(transform[0]) - 1
        return tf_keras.layers.RandomZoom((zoom, zoom))

    assert_is_layer(transforms, layer)
    assert np.array_equal(transforms[:, 0], transforms[:, 4])


def test_all_three_are_the_layers_one_after_the_other() -> None:
    """Flip, rotation and zoom together -> the same inner image as by the three layers in this order."""
    images = smooth_images(8)
    transforms = draw(8, **{FLIP: "horizontal_and_vertical", ROTATION: 0.2, ZOOM: 0.1})
    results = transformed(images, transforms)
    inner = slice(8, -8)
    for image, (xx, xy, _, yx, yy, *_), result in zip(images, transforms, results, strict=True):
        # The determinant's sign is that of both mirrorings; a half turn is the same as both at once.
        mirrored = xx * yy - xy * yx < 0
        scale = float(np.hypot(xx, yx))
        turn = float(np.arctan2(-yx if mirrored else yx, xx)) / (2 * np.pi)
        expected = np.flip(image, 0) if mirrored else image
        expected = tf_keras.layers.RandomRotation((turn, turn))(expected, training=True)
        expected = tf_keras.layers.RandomZoom((scale - 1, scale - 1))(expected, training=True)
        np.testing.assert_allclose(result[inner, inner], np.asarray(expected)[inner, inner], atol=1.5)


def test_draws_are_uniform() -> None:
    """Many images -> even flips, angles and zooms spread evenly over their whole ranges, and none tells another."""
    transforms = draw(4000, **{ROTATION: 0.1, ZOOM: 0.2}).astype(float)
    turns = np.arctan2(transforms[:, 3], transforms[:, 0]) / (2 * np.pi)
    zooms = np.hypot(transforms[:, 0], transforms[:, 3]) - 1
    flips = draw(4000, **{FLIP: "horizontal_and_vertical"})[:, [0, 4]]
    evenly = np.linspace(-1, 1, 4000)
    assert np.abs(np.sort(turns) / 0.1 - evenly).max() < 0.06
    assert np.abs(np.sort(zooms) / 0.2 - evenly).max() < 0.06
    assert np.abs(flips.mean(axis=0)).max() < 0.06
    series = [turns[1:], turns[:-1], zooms[1:], zooms[:-1], *flips[1:].T, *flips[:-1].T]
    related = np.corrcoef(np.stack(series)) - np.eye(len(series))
    assert np.abs(related).max() < 0.06


def test_draw_depends_on_seed_epoch_and_image_alone() -> None:
    """The same image in another batch -> the same transform; another seed, epoch or image -> another one."""
    given: dict[str, Any] = {"augmentation": True, ROTATION: 0.2}
    values = small.settings(**given)
    rows = np.array([7, 3, 90_000, 0], np.int64)
    drawn = augmentation.draw(values, SIZE, 2, rows)
    assert drawn.dtype == np.float32
    assert drawn.shape == (4, 8)
    assert np.array_equal(drawn, augmentation.draw(values, SIZE, 2, np.arange(90_001))[rows])
    others = [
        augmentation.draw(values, SIZE, 3, rows),
        augmentation.draw(small.settings(**given, random_seed=124), SIZE, 2, rows),
        augmentation.draw(values, SIZE, 2, rows + 1),
    ]
    for other in others:
        assert not (other == drawn).all(axis=1).any()


def test_one_setting_does_not_move_another() -> None:
    """The zoom is switched off -> flips and angles stay what they were."""
    with_zoom = draw(50, **{FLIP: "horizontal", ROTATION: 0.1, ZOOM: 0.5})
    without = draw(50, **{FLIP: "horizontal", ROTATION: 0.1})
    angles, expected = (np.arctan2(transforms[:, 3], transforms[:, 4]) for transforms in (with_zoom, without))
    np.testing.assert_allclose(angles, expected, atol=1e-5)
    assert np.array_equal(np.sign(with_zoom[:, 0]), np.sign(without[:, 0]))
