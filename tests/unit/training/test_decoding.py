"""Decoding many pictures: order, skipping, memory."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from image_classifier.contract.errors import PlatformError, UserError
from image_classifier.training import decoding
from image_classifier.training.dataset import Example
from image_classifier.training.decoding import Decoder, Skipped


def grey_levels(folder: Path, count: int) -> list[Example]:
    """Write `count` pictures whose grey level is their number."""
    examples = []
    for level in range(count):
        path = folder / f"{level:03}.png"
        Image.new("RGB", (9, 7), (level, level, level)).save(path)
        examples.append(Example(path, level % 2))
    return examples


DECODER = Decoder((4, 6), "bilinear")


def test_pictures_come_in_order_whatever_the_threads_do(tmp_path: Path) -> None:
    """More pictures than are decoded ahead -> every picture, in its place."""
    examples = grey_levels(tmp_path, 200)
    levels = [int(found[0, 0, 0]) for found in DECODER.in_order(examples) if not isinstance(found, Skipped)]
    assert levels == list(range(200))


@pytest.mark.parametrize("memory_limit", [10**9, 0], ids=["memory", "scratch file"])
def test_damaged_pictures_are_left_out_and_counted(tmp_path: Path, memory_limit: int) -> None:
    """A text and a truncated file among pictures -> both listed with a reason, the others in order."""
    examples = grey_levels(tmp_path, 10)
    examples[3].path.write_text("no picture")
    examples[7].path.write_bytes(examples[7].path.read_bytes()[:40])
    done: list[int] = []
    store = decoding.decode_all(DECODER, examples, done.append, memory_limit)
    assert store.pixels.shape == (8, 4, 6, 3)
    assert store.pixels[:, 0, 0, 0].tolist() == [0, 1, 2, 4, 5, 6, 8, 9]
    assert [item.path.name for item in store.skipped] == ["003.png", "007.png"]
    assert all(item.reason for item in store.skipped)
    assert done == list(range(1, 11))


def test_scratch_file_is_used_above_the_limit_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pixels beyond the memory limit -> a file-backed array in the temporary folder that has no name left."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    store = decoding.decode_all(DECODER, grey_levels(tmp_path, 3), lambda done: None, memory_limit=1)
    assert isinstance(store.pixels, np.memmap)
    assert not list((tmp_path / "scratch").iterdir())


def test_pixels_that_fit_nowhere_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """More pixels than memory and disk hold -> one sentence with both figures and what to do."""
    with pytest.raises(PlatformError, match=r"need 3,\d+.* bytes; memory allows 0"):
        decoding._allocate((1_000_000_000, 1000, 1000, 3), 0)


def test_missing_file_is_skipped_too(tmp_path: Path) -> None:
    """A file that vanished after listing -> skipped with the system's reason."""
    found = DECODER.attempt(Example(tmp_path / "gone.jpg", 0))
    assert isinstance(found, Skipped)
    assert "No such file" in found.reason


def test_too_many_damaged_pictures_fail_the_job() -> None:
    """Two of ten unreadable: allowed by 0.2, refused by 0.1 with the count, the limit and the first reasons."""
    skipped = [Skipped(Path("a.jpg"), "it is empty"), Skipped(Path("b.jpg"), "it is text")]
    decoding.refuse_too_many(skipped, 10, 0.2)
    with pytest.raises(UserError, match=r"2 of 10 pictures .* max_bad_fraction=0\.1 .*a\.jpg: it is empty"):
        decoding.refuse_too_many(skipped, 10, 0.1)


def test_free_memory_is_a_plausible_number() -> None:
    """This machine -> some memory is free, and less than a petabyte."""
    assert 0 < decoding.free_memory() < 2**50
