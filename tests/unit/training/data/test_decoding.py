"""Decoding many images: order, skipping, memory."""

import resource
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from image_classifier.class_folders.listing import Example
from image_classifier.class_folders.storage import Storage
from image_classifier.contract.errors import PlatformError, UserError
from image_classifier.training.data import decoding
from image_classifier.training.data.decoding import CachedImages, Decoder, Skipped
from tests.unit.training import small

DECODER = Decoder((4, 6), "bilinear")


def test_images_come_in_order_whatever_the_threads_do(tmp_path: Path) -> None:
    """More images than are decoded ahead -> every image, in its place."""
    examples = small.grey_levels(tmp_path, 200)
    levels = [int(found[0, 0, 0]) for found in DECODER.in_order(examples) if not isinstance(found, Skipped)]
    assert levels == list(range(200))


@pytest.mark.parametrize("memory_limit", [10**9, 0], ids=["memory", "scratch file"])
def test_images_are_decoded_when_asked_for_and_once(tmp_path: Path, memory_limit: int) -> None:
    """A text and a truncated file among images -> nothing is read at first; each is then decoded once, in order."""
    examples = small.grey_levels(tmp_path, 10)
    examples[3].path.write_text("no image")
    examples[7].path.write_bytes(examples[7].path.read_bytes()[:40])
    done: list[int] = []
    images = CachedImages(DECODER, examples, done.append, memory_limit)
    assert (images.shape, images.skipped, done) == ((10, 4, 6, 3), (), [])
    first, chosen = images.take(np.array([9, 3, 0]))
    assert (first[:, 0, 0, 0].tolist(), chosen.tolist(), done) == ([9, 0], [9, 0], [3])
    images.take(np.arange(10))
    for example in examples:
        example.path.unlink()
    again, chosen = images.take(np.arange(10))
    assert again.shape == (8, 4, 6, 3)
    assert again[:, 0, 0, 0].tolist() == chosen.tolist() == [0, 1, 2, 4, 5, 6, 8, 9]
    assert [item.path.name for item in images.skipped] == ["003.png", "007.png"]
    assert all(item.reason for item in images.skipped)
    assert done == [3, 10]


def test_scratch_file_is_used_above_the_limit_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pixels beyond the memory limit -> they lie in a file of the temporary folder that has no name left."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    images = CachedImages(DECODER, small.grey_levels(tmp_path, 3), memory_limit=1)
    images.take(np.arange(3))
    # The folder that is listed has a descriptor of its own, which is gone by the time it is looked at.
    links = [path.readlink() for path in Path("/proc/self/fd").iterdir() if path.is_symlink()]
    assert len([link for link in links if link.is_relative_to(tmp_path / "scratch")]) == 1
    assert not list((tmp_path / "scratch").iterdir())


def test_images_that_fit_nowhere_are_decoded_each_time(tmp_path: Path) -> None:
    """A scratch file that may not grow past two of five images -> all are right, twice, and those two are kept."""
    examples = small.grey_levels(tmp_path, 5)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    images = CachedImages(DECODER, examples, memory_limit=1)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2 * 4 * 6 * 3, hard))
    try:
        # First those that fit: a thread that comes to a later one first would find the disk full.
        images.take(np.arange(2))
        seen = [images.take(np.arange(5))[0][:, 0, 0, 0].tolist() for _ in range(2)]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert seen == [[0, 1, 2, 3, 4]] * 2
    for example in examples:
        example.path.write_text("no image")
    assert images.take(np.arange(5))[1].tolist() == [0, 1]


def test_more_images_than_any_machine_holds_cost_nothing_until_asked_for(tmp_path: Path) -> None:
    """A million images of 1,000 x 1,000 -> accepted at once, and the first is decoded."""
    examples = small.grey_levels(tmp_path, 1) * 1_000_000
    images = CachedImages(Decoder((1000, 1000), "bilinear"), examples)
    assert images.take(np.array([0]))[0].shape == (1, 1000, 1000, 3)


def test_file_that_vanished_is_the_storages_failure(tmp_path: Path) -> None:
    """Files that vanished after listing, among others -> PlatformError with the first, never skipped as corrupt."""
    examples = small.grey_levels(tmp_path, 20)
    for place in (7, 11):
        examples[place].path.unlink()
    decoder = Decoder((4, 6), "bilinear", Storage(pauses=(0.0, 0.0)))
    with pytest.raises(PlatformError, match=r"storage failed for \d file\(s\), first .*/0\d\d\.png: No such file"):
        list(decoder.in_order(examples))
    images = CachedImages(Decoder((4, 6), "bilinear", Storage(pauses=())), examples)
    with pytest.raises(PlatformError, match="No such file"):
        images.take(np.arange(20))
    assert images.skipped == ()


def test_image_of_another_format_is_named(tmp_path: Path) -> None:
    """A TIFF and a HEIC called .jpg -> skipped with what they are and what to do."""
    Image.new("RGB", (9, 7)).save(tmp_path / "scan.jpg", "TIFF")
    (tmp_path / "phone.jpg").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    for name, kind in (("scan.jpg", "a TIFF or camera raw image"), ("phone.jpg", "a HEIC image")):
        found = DECODER.attempt(Example(tmp_path / name, 0))
        assert isinstance(found, Skipped)
        assert found.reason.endswith(f"It is {kind}: convert it to JPEG or PNG.")


def test_too_many_damaged_images_fail_the_job() -> None:
    """Two of ten unreadable: allowed by 0.2, rejected by 0.1 with the count, the limit and the first reasons."""
    skipped = [Skipped(Path("a.jpg"), "it is empty"), Skipped(Path("b.jpg"), "it is text")]
    decoding.reject_too_many(skipped, 10, 0.2)
    with pytest.raises(UserError, match=r"2 of 10 images .* max_bad_fraction=0\.1 .*a\.jpg: it is empty"):
        decoding.reject_too_many(skipped, 10, 0.1)
