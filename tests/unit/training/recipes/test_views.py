"""Flipped and cropped copies of images, as pixels."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from image_classifier.training.data.decoding import Decoder
from image_classifier.training.recipes.enrichments import View
from image_classifier.training.recipes.views import ViewDecoder


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A large image with a grey level that rises to the right, and a black frame of a twentieth of each side."""
    levels = np.tile(np.linspace(60, 220, 400), (300, 1)).astype(np.uint8)
    levels[:15], levels[-15:], levels[:, :20], levels[:, -20:] = 0, 0, 0, 0
    Image.fromarray(levels).convert("RGB").save(tmp_path / "image.png")
    return tmp_path / "image.png"


def test_flipped_copy_is_the_mirrored_image(image: Path) -> None:
    """An image -> its flipped copy has the same pixels from right to left."""
    whole, flipped = Decoder((40, 48), "bilinear")(image), ViewDecoder((40, 48), "bilinear", view=View.FLIPPED)(image)
    np.testing.assert_array_equal(flipped, whole[:, ::-1])
    assert not np.array_equal(flipped, whole)


def test_cropped_copy_has_the_middle_in_the_same_size(image: Path) -> None:
    """An image with a dark frame -> its cropped copy has the same size, no frame, and the same middle."""
    whole, cropped = Decoder((40, 48), "bilinear")(image), ViewDecoder((40, 48), "bilinear", view=View.CROPPED)(image)
    assert cropped.shape == whole.shape == (40, 48, 3)
    assert whole.min() < 40 < cropped.min()
    assert abs(int(cropped[20, 24, 0]) - int(whole[20, 24, 0])) < 8
