from pathlib import Path

import numpy as np
from PIL import Image

from image_classifier.evaluation import trait_file, traits


def test_traits_are_the_same_after_the_file(tmp_path: Path) -> None:
    """Given images of several forms and a text -> all traits equal, with None in its row."""
    paths = [tmp_path / name for name in ("a.png", "b.jpg", "c.webp", "none.png", "grey.png")]
    draws = np.random.default_rng(0)
    for path in paths:
        Image.fromarray(draws.integers(0, 256, (130, 200, 3), np.uint8)).save(path)
    Image.new("L", (2, 2), 7).save(paths[4])
    paths[3].write_text("no image")
    found = traits.read(paths)
    trait_file.write(tmp_path / "traits.npz", found)
    assert trait_file.read(tmp_path / "traits.npz") == found
    assert [one is None for one in found] == [False, False, False, True, False]


def test_a_file_without_traits_is_read(tmp_path: Path) -> None:
    """Given images of which none can be decoded, and no images -> the same rows."""
    for found in ([None, None], []):
        trait_file.write(tmp_path / "traits.npz", found)
        assert trait_file.read(tmp_path / "traits.npz") == found
