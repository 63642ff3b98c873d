"""The eight resize methods against TensorFlow's, and the in-graph twin against ours."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from image_classifier import imaging, resampling
from tests.unit.imaging.samples import PLAIN, encode

SIZES = [(64, 96), (224, 224), (301, 150), (7, 400)]
ROUNDING = dict.fromkeys(imaging.RESIZE_METHODS, 1) | {"nearest": 0, "bicubic": 2, "lanczos3": 2}
"""Levels. Pillow rounds to whole levels between the two passes, which overshooting kernels multiply."""


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("method", imaging.RESIZE_METHODS)
def test_each_method_equals_tensorflows(method: str, size: tuple[int, int]) -> None:
    """Up and down to odd sizes by each of the eight -> tf.image.resize with antialiasing, but for rounding."""
    import tensorflow as tf

    ours = imaging.load_pixels(encode(PLAIN, "PNG"), size, method).astype(int)
    theirs = np.clip(np.rint(tf.image.resize(PLAIN, size, method, antialias=True).numpy()), 0, 255)
    assert np.abs(ours - theirs).max() <= ROUNDING[method]


def test_methods_differ_from_each_other() -> None:
    """The same picture by each method -> eight different results, so that the comparison above can fail."""
    results = {imaging.load_pixels(encode(PLAIN, "PNG"), (30, 40), m).tobytes() for m in imaging.RESIZE_METHODS}
    assert len(results) == len(imaging.RESIZE_METHODS)


@pytest.mark.parametrize("method", ["area", *resampling.KERNELS])
def test_weights_add_up(method: str) -> None:
    """Weights up and down -> every row adds up to one; the same size -> every pixel itself for area."""
    for source, target in ((10, 3), (3, 10), (5, 5)):
        np.testing.assert_allclose(resampling.weights(method, source, target).sum(axis=1), 1, atol=1e-6)
    assert np.array_equal(resampling.weights("area", 4, 4), np.eye(4, dtype=np.float32))


FORMS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 90},
    "progressive JPEG": {"quality": 90, "progressive": True},
    "JPEG 4:4:4": {"subsampling": 0},
    "PNG": {},
    "BMP": {},
    "GIF": {},
    "lossless WEBP": {"lossless": True},
    "WEBP": {},
}


@pytest.mark.parametrize("form", FORMS)
def test_twin_gives_our_pixels_for_every_format(form: str) -> None:
    """Each still format through the graph -> our pixels, at most one level apart."""
    import tensorflow as tf

    from image_classifier.training.in_graph_imaging import decode_and_resize

    kind = next(name for name in imaging.FORMATS if name in form)
    # Small enough that ours does not decode the JPEG at reduced scale, which the twin never does.
    data = encode(PLAIN, kind, **FORMS[form])
    ours = imaging.load_pixels(data, (100, 120)).astype(int)
    twin = decode_and_resize(tf.constant(data), (100, 120), "bilinear").numpy()
    assert twin.dtype == np.uint8
    assert np.abs(ours - twin).max() <= 1


@pytest.mark.parametrize("method", imaging.RESIZE_METHODS)
def test_twin_knows_every_method(method: str) -> None:
    """Each method inside a mapped graph function -> our pixels, but for rounding; modes without colour included."""
    import tensorflow as tf

    from image_classifier.training.in_graph_imaging import decode_and_resize

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.string)])  # type: ignore[untyped-decorator, unused-ignore]
    def many(encoded: Any) -> Any:
        return tf.map_fn(
            lambda one: decode_and_resize(one, (60, 50), method),
            encoded,
            fn_output_signature=tf.TensorSpec((60, 50, 3), tf.uint8),
        )

    grey = Image.fromarray(PLAIN).convert("L")
    forms = [encode(PLAIN, "PNG"), encode(grey, "PNG"), encode(PLAIN, "BMP"), encode(PLAIN, "WEBP", lossless=True)]
    ours = np.stack([imaging.load_pixels(data, (60, 50), method) for data in forms]).astype(int)
    assert np.abs(many(tf.constant(forms)).numpy() - ours).max() <= ROUNDING[method]


def test_sixteen_bit_grey_and_alpha_are_the_same_in_the_twin() -> None:
    """16-bit grey and an alpha channel -> the twin and ours agree on both."""
    import tensorflow as tf

    from image_classifier.training.in_graph_imaging import decode_and_resize

    grey = Image.fromarray(PLAIN[:, :, 0].astype(np.uint16) * 257)
    alpha = Image.fromarray(PLAIN).convert("RGBA")
    alpha.putalpha(90)
    for picture in (grey, alpha):
        file = io.BytesIO()
        picture.save(file, "PNG")
        ours = imaging.load_pixels(file.getvalue(), (60, 50)).astype(int)
        twin = decode_and_resize(tf.constant(file.getvalue()), (60, 50), "bilinear").numpy()
        assert np.abs(ours - twin).max() <= 1
