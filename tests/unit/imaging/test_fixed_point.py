"""The resize of version 2: the library and NumPy agree to the level, and Pillow to one."""

import numpy as np
import pytest
from PIL import Image

from image_classifier import imaging
from image_classifier.contract.imaging_versions import HAS_FAST_RESIZER, VERSION, VERSIONS
from image_classifier.imaging import fixed_point
from tests.unit.imaging.samples import encode, photograph

SHAPES = [
    ((300, 400), (224, 224)),
    ((97, 211), (160, 160)),
    ((600, 900), (33, 70)),
    ((1, 5_000), (48, 64)),
    ((5_000, 1), (48, 64)),
    ((224, 224), (224, 224)),
    ((3, 2), (50, 40)),
    ((1, 1), (7, 9)),
]
library_only = pytest.mark.skipif(not HAS_FAST_RESIZER, reason="this machine has no wheel of the library")


def noise(height: int, width: int) -> fixed_point.Pixels:
    """Make pixels of which no two neighbours are alike."""
    return np.random.default_rng(height * width).integers(0, 256, (height, width, 3), dtype=np.uint8)


@library_only
@pytest.mark.parametrize("method", fixed_point.METHODS)
@pytest.mark.parametrize(("given", "size"), SHAPES)
def test_numpy_computes_what_the_library_does(given: tuple[int, int], size: tuple[int, int], method: str) -> None:
    """Noise of each shape, up and down, in whole and in strips -> the same levels, exactly."""
    pixels = noise(*given)
    across = fixed_point.by_numpy(pixels, 1, size[1], method)
    expected = fixed_point.by_numpy(across, 0, size[0], method)
    assert np.array_equal(fixed_point.by_library(pixels, 1, size[1], method), across)
    assert np.array_equal(fixed_point.resize(pixels, size, method), expected)
    assert np.array_equal(fixed_point.resize(Image.fromarray(pixels), size, method), expected)


@pytest.mark.parametrize("method", fixed_point.METHODS)
def test_machine_without_the_library_has_the_same_pixels(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An image on a machine whose Linux has no wheel of the library -> the pixels of this one."""
    data = encode(photograph(240, 320), "JPEG")
    expected = imaging.load_pixels(data, (60, 97), method)
    monkeypatch.setattr(fixed_point, "HAS_FAST_RESIZER", False)
    assert np.array_equal(imaging.load_pixels(data, (60, 97), method), expected)


@pytest.mark.parametrize("method", fixed_point.METHODS)
@pytest.mark.parametrize("level", [0, 1, 254, 255])
def test_one_colour_stays_that_colour(level: int, method: str) -> None:
    """A long image of one level, much smaller and larger -> that level everywhere."""
    for size in ((3, 8), (40, 300)):
        assert (fixed_point.resize(np.full((2, 40_000, 3), level, np.uint8), size, method) == level).all()


@pytest.mark.parametrize("method", fixed_point.METHODS)
@pytest.mark.parametrize("size", [(224, 224), (160, 160), (97, 301)])
def test_version_2_is_a_level_from_pillow_at_few_pixels(method: str, size: tuple[int, int]) -> None:
    """A photograph by both versions -> at most 1 % of the levels differ, by one; two by sharper filters."""
    data = encode(photograph(400, 533), "PNG")
    first, second = (imaging.load_pixels(data, size, method, version=version).astype(int) for version in VERSIONS)
    apart = np.abs(first - second)
    assert VERSION == 2
    assert 0 < apart.max() <= (1 if method == "bilinear" else 2)
    assert (apart > 0).mean() < 0.01


@pytest.mark.parametrize("method", fixed_point.METHODS)
def test_version_1_is_pillow_itself(method: str) -> None:
    """An image by the first version -> Pillow's resize, along the rows and then along the columns."""
    pixels = noise(150, 211)
    name = {"bilinear": "BILINEAR", "bicubic": "BICUBIC", "lanczos3": "LANCZOS"}[method]
    filter_, image = Image.Resampling[name], Image.fromarray(pixels)
    expected = image.resize((64, 150), filter_).resize((64, 48), filter_)
    assert np.array_equal(imaging.load_pixels(encode(pixels, "PNG"), (48, 64), method, version=1), np.asarray(expected))
