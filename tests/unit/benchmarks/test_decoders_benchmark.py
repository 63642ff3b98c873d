"""The decoders benchmark's table of what a version of the pixels changes in a model's probabilities."""

from pathlib import Path

import pytest
from PIL import Image

from tests.benchmarks.decoders import probabilities
from tests.support import named_photographs, tiny_models


def test_versions_are_compared_by_levels_and_probabilities(tmp_path: Path) -> None:
    """A photograph and an image of one colour -> few levels differ, none of the second; a row of five figures."""
    model = tiny_models.write(tmp_path / "model", "a").folder
    images = tmp_path / "photographs"
    (images / "one").mkdir(parents=True)
    name = sorted(named_photographs.IN_WHEELS)[0]
    (images / "one" / f"photograph{Path(name).suffix}").write_bytes(named_photographs.of_wheel(name))
    Image.new("RGB", (90, 70), (200, 20, 20)).save(images / "red.png")
    (images / "note.txt").write_text("no image")
    row = probabilities.row(model, images, 200).strip("| ").split(" | ")
    title, levels, median, _, largest, others = row
    assert title == "model, 2 images of photographs"
    assert 0 <= float(levels.removesuffix(" %")) < 5
    assert 0 <= float(median) <= float(largest) < 0.01
    assert others == "0"


def test_folder_without_images_is_an_error(tmp_path: Path) -> None:
    """A folder with a text alone -> an error instead of an empty table."""
    (tmp_path / "note.txt").write_text("no image")
    with pytest.raises(ValueError, match="none of 1 files is an image"):
        probabilities.row(tiny_models.write(tmp_path / "model", "a").folder, tmp_path / "model" / "1", 200)
