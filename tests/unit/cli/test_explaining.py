"""The explanation in a server's answer: read, put into a sentence, and drawn over the image."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from image_classifier.cli.predictions import explaining
from image_classifier.contract.errors import PlatformError, UserError
from image_classifier.evaluation.occlusion import OcclusionMap
from tests.platform import sample_images

DROPS = np.zeros((28, 28), np.float32)
DROPS[:, :14] = 0.5
FOUND = OcclusionMap(class_index=1, probability=0.9, drops=DROPS, drop_top=0.5, drop_random=0.1)
ANSWER: dict[str, Any] = {
    "probabilities": [0.1, 0.9],
    "labels": ["a", "b"],
    "predicted_label": "b",
    "explanation": {
        "label": "b",
        "probability": 0.9,
        "reliable": True,
        "drop_top": 0.5,
        "drop_random": 0.1,
        "drops": DROPS.tolist(),
    },
}


def changed(**entries: Any) -> dict[str, Any]:
    """Return an answer whose explanation has other entries."""
    return {**ANSWER, "explanation": ANSWER["explanation"] | entries}


def test_map_of_an_answer() -> None:
    """Given a server's answer -> its map; its class by the position of the label."""
    found = explaining.map_of(ANSWER, "url")
    assert (found.class_index, found.probability, found.drop_top, found.drop_random) == (1, 0.9, 0.5, 0.1)
    assert np.array_equal(found.drops, DROPS)


@pytest.mark.parametrize(
    "answer",
    [
        {"probabilities": [0.1, 0.9], "labels": ["a", "b"]},
        changed(label="c"),
        changed(drops=[[0.1], [0.2, 0.3]]),
        changed(drops=[0.1]),
        changed(drops=[[float("nan")]]),
        changed(drop_top=None),
        {**ANSWER, "explanation": []},
    ],
    ids=range(7),
)
def test_answers_without_a_map_are_said(answer: dict[str, Any]) -> None:
    """Given an answer of an older or foreign server, or an odd map -> one sentence with the server's address."""
    with pytest.raises(PlatformError, match="The server at http://a answers without an explanation"):
        explaining.map_of(answer, "http://a")


def test_sentence_says_whether_to_trust_the_map() -> None:
    """Given a map that passes its check and one that does not -> both figures, and "Not reliable" for the latter."""
    assert explaining.sentence(FOUND, "b").startswith("Covering the 20 % that the map marks lowers b by 0.50, a random")
    weak = OcclusionMap(class_index=1, probability=0.9, drops=DROPS, drop_top=0.1, drop_random=0.1)
    assert explaining.sentence(weak, "b").startswith("Not reliable: ")


@pytest.mark.parametrize("form", ["PNG", "JPEG with EXIF orientation"])
def test_drawing_has_the_images_shape(tmp_path: Path, form: str) -> None:
    """Given a plain image and one stored on its side -> a PNG, upright, with the map on its left half alone."""
    data = sample_images.odd_forms() | {"PNG": sample_images.encode(sample_images.plain(), "PNG")}
    image, output = tmp_path / "a.img", tmp_path / "out.png"
    image.write_bytes(data[form])
    explaining.write(image, FOUND, output)
    with Image.open(output) as drawn:
        assert (drawn.format, drawn.size) == ("PNG", (96, 72))
        colours = np.asarray(drawn.convert("RGB"), np.int64)
    spread = np.ptp(colours, axis=2)
    assert spread[:, :40].min() > 50 > 10 > spread[:, 56:].max()


def test_large_image_is_drawn_smaller(tmp_path: Path) -> None:
    """Given an image of 3,000 x 1,500 pixels -> a drawing of 1,024 x 512."""
    Image.new("RGB", (3000, 1500), "white").save(tmp_path / "a.jpg")
    explaining.write(tmp_path / "a.jpg", FOUND, tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as drawn:
        assert drawn.size == (1024, 512)


def test_existing_files_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given an output that exists, by its default name, by option, or by a link to nothing -> rejected, unchanged."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a-explained.png").write_text("mine")
    (tmp_path / "link.png").symlink_to("nothing")
    assert explaining.output_for(Path("b.jpg"), None) == Path("b-explained.png")
    for given in (None, Path("a-explained.png"), Path("link.png")):
        with pytest.raises(UserError, match="exists already"):
            explaining.output_for(Path("folder/a.jpg"), given)
    assert (tmp_path / "a-explained.png").read_text() == "mine"


def test_undrawable_image_is_said(tmp_path: Path) -> None:
    """Given a file that is not an image, and a folder that does not exist -> one sentence each."""
    (tmp_path / "a.jpg").write_text("text")
    with pytest.raises(UserError, match=r"a\.jpg cannot be drawn"):
        explaining.write(tmp_path / "a.jpg", FOUND, tmp_path / "out.png")
    (tmp_path / "a.png").write_bytes(sample_images.encode(sample_images.plain(), "PNG"))
    with pytest.raises(UserError, match="cannot be written: No such file"):
        explaining.write(tmp_path / "a.png", FOUND, tmp_path / "absent" / "out.png")
