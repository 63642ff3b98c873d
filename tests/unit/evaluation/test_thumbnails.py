"""Thumbnails."""

import base64
import io
from pathlib import Path

import pytest
from PIL import Image

from image_classifier.evaluation import thumbnails
from image_classifier.evaluation.thumbnails import SIDE, Request, Thumbnail


def image_of(found: Thumbnail) -> Image.Image:
    """Return the image in a thumbnail's address."""
    kind, _, content = found.uri.partition(";base64,")
    assert kind == "data:image/webp"
    return Image.open(io.BytesIO(base64.b64decode(content)))


@pytest.mark.parametrize(
    ("size", "expected"),
    [((400, 300), (96, 72)), ((300, 600), (48, 96)), ((40, 30), (40, 30)), ((5000, 3), (96, 1))],
)
def test_size(tmp_path: Path, size: tuple[int, int], expected: tuple[int, int]) -> None:
    """Given images of several shapes -> the longest side is at most 96, in proportion, and none is enlarged."""
    path = tmp_path / "image.png"
    Image.new("RGB", size, (200, 30, 30)).save(path)
    found = thumbnails.read({"a": Request(path)})["a"]
    assert (found.width, found.height) == image_of(found).size == expected


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
def test_turned_image_is_upright(tmp_path: Path, suffix: str) -> None:
    """Given an image that its EXIF data turn by a quarter -> its thumbnail is upright."""
    path = tmp_path / f"turned.{suffix}"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (400, 300)).save(path, exif=exif)
    found = thumbnails.read({"a": Request(path)})["a"]
    assert (found.width, found.height) == (72, SIDE)


def test_unreadable_files_have_none(tmp_path: Path) -> None:
    """Given a missing file, a corrupt one and a good one -> only the good one has a thumbnail."""
    (tmp_path / "corrupt.png").write_bytes(b"\x89PNG\r\n\x1a\nno image")
    Image.new("RGB", (9, 9)).save(tmp_path / "good.png")
    wanted = {name: Request(tmp_path / name) for name in ("missing.png", "corrupt.png", "good.png")}
    assert list(thumbnails.read(wanted)) == ["good.png"]


def test_budget_keeps_the_first(tmp_path: Path) -> None:
    """Given a budget of two and a half equal thumbnails -> two are kept, or one that is shown twice."""
    Image.new("RGB", (90, 90)).save(tmp_path / "image.png")
    wanted = {index: Request(tmp_path / "image.png") for index in range(9)}
    each = len(thumbnails.read(wanted)[0].uri)
    assert list(thumbnails.read(wanted, budget=each * 5 // 2)) == [0, 1]
    wanted[0] = Request(tmp_path / "image.png", uses=2)
    assert list(thumbnails.read(wanted, budget=each * 5 // 2)) == [0]
