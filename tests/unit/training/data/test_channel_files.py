"""What lies in class folders and beside them: images, and everything that is not one."""

import os
from pathlib import Path

import pytest

from image_classifier.contract.opt_ml import OptMl
from image_classifier.training.data import preflight
from tests.unit.training import small
from tests.unit.training.trees import JPEG, PNG, log, put, rejected


@pytest.mark.parametrize("name", ["@eaDir", "__MACOSX", "lost+found", "$RECYCLE.BIN", ".ipynb_checkpoints", "#recycle"])
def test_folders_of_systems_are_ignored_at_any_depth(
    opt_ml: OptMl, training: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """A system's folder beside the classes, in one and deeper -> neither class nor images, and one line."""
    put(training, f"{name}/1.jpg", f"blue/{name}/1.jpg/thumb.jpg", f"blue/deep/{name}/1.jpg", "blue/._0.jpg")
    lines = log(opt_ml, capsys)
    ignored = [line for line in lines if line.startswith("Ignored in the training channel")]
    assert ignored == [f"Ignored in the training channel, hidden or a system's own: {name} 3, ._* 1."]
    assert preflight.check(opt_ml, small.settings())["training"].listing.counts() == {"blue": 4, "red": 4}


@pytest.mark.parametrize(
    "name", ["1.jfif", "1.jpe", "1.HEIC", "1", "1.jpg?w=800", "1.jpg:large", "1.download", "a.b/1", "caf\udce9.tmp"]
)
@pytest.mark.parametrize("content", [JPEG, PNG], ids=["JPEG", "PNG"])
def test_images_are_told_by_their_first_bytes(
    opt_ml: OptMl, training: Path, capsys: pytest.CaptureFixture[str], name: str, content: bytes
) -> None:
    """A JPEG or PNG under another ending or none -> listed, and counted in one line."""
    put(training, f"blue/x-{name}" if "/" not in name else f"blue/{name}", content=content)
    lines = log(opt_ml, capsys)
    assert preflight.check(opt_ml, small.settings())["training"].listing.counts()["blue"] == 5
    assert sum(line.startswith("Used 1 image(s) recognised by their first bytes") for line in lines) == 1


def test_other_endings_take_at_most_ten_lines(
    opt_ml: OptMl, training: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Files of thirty endings, images among them -> ten lines, whose counts add up."""
    put(training, *(f"blue/{number}.e{number}" for number in range(30)), *(f"blue/n.jpg?{n}" for n in range(40)))
    put(training, "red/1.jfif", content=JPEG)
    lines = [line for line in log(opt_ml, capsys) if line.startswith(("Ignored", "Used"))]
    assert len(lines) == 10
    assert sum(int(line.split()[1]) for line in lines) == 71
    assert "Ignored 40 file(s) ending in .jpg…" in lines[1]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("1.heic", b"\0\0\0\x18ftypheic", "a HEIC image: convert it to JPEG or PNG"),
        ("1.tif", b"II*\0", "a TIFF or camera raw image: convert"),
        ("1.avif", b"\0\0\0\x1cftypavif", "an AVIF image: convert"),
        ("1.psd", b"8BPS", "a Photoshop document: convert"),
        ("more.zip", b"PK\3\4", "a zip archive: unpack"),
        ("1.tfrecord", b"\0", "a TFRecord file: export"),
    ],
)
def test_class_without_an_image_says_what_it_holds(
    opt_ml: OptMl, training: Path, name: str, content: bytes, words: str
) -> None:
    """A class with files of another kind alone -> their ending, what they are, and the remedy."""
    put(training, f"green/{name}", content=content)
    said = rejected(opt_ml)
    assert f"green holds 1 file(s) ending in {Path(name).suffix}, {words}" in said


@pytest.mark.parametrize(
    "name", ["images.zip", "a.tar", "a.tar.gz", "a.tgz", "a.7z", "a.rar", "a.tfrecord", "a.parquet", "a.csv", "a.lst"]
)
def test_archive_in_a_channel_is_named(
    opt_ml: OptMl, training: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """An archive, records or a table beside class folders, then alone -> one WARNING, then a rejection, by name."""
    put(training, name)
    assert sum("WARNING: Not used" in line and f"{name} (a" in line for line in log(opt_ml, capsys)) == 1
    training.rename(training.with_name("old"))
    put(training, name)
    said = rejected(opt_ml)
    assert f"has no class folders in {training}. It holds {name} (a" in said


def test_loose_images_are_named(opt_ml: OptMl, training: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Images beside class folders, then alone -> counted with one of them by name."""
    put(training, "loose-1.jpg", "loose-2.png")
    lines = log(opt_ml, capsys)
    assert sum("2 image(s) outside class folders, such as loose-1.jpg" in line for line in lines) == 1
    training.rename(training.with_name("old"))
    put(training, "loose.jpg")
    assert "1 image lies directly in it; move it into a folder named as its class." in rejected(opt_ml)
    put(training, "second.jpg", "notes.txt")
    assert "It holds notes.txt, 2 image(s) outside class folders, such as loose.jpg." in rejected(opt_ml)
    assert "2 images lie directly in it; move them into one folder per class." in rejected(opt_ml)


def test_split_in_a_wrapping_folder_is_explained(opt_ml: OptMl, training: Path) -> None:
    """Parts of a split in one more folder -> one class, and the parts are said to be channels."""
    training.rename(training.with_name("old"))
    put(training, "flowers/train/rose/1.jpg", "flowers/val/rose/1.jpg")
    assert "It holds the folders train, val. They look like parts of a split: give each as a channel" in rejected(
        opt_ml
    )


def test_single_wrapping_folder_is_explained(opt_ml: OptMl, training: Path) -> None:
    """Everything in one more folder -> one class, and the folders in it are named."""
    training.rename(training.with_name("old"))
    put(training, "flowers/rose/1.jpg", "flowers/tulip/1.jpg")
    assert "has one class, flowers; a classifier needs two. It holds the folders rose, tulip." in rejected(opt_ml)


def test_only_unknown_endings_are_opened(opt_ml: OptMl, training: Path) -> None:
    """Files of known endings among one of another -> only that one is read."""
    put(training, "blue/other.xyz", content=JPEG)
    paths = [*training.rglob("*.jpg"), training / "blue/other.xyz"]
    for path in paths:
        path.write_bytes(JPEG)
        os.utime(path, ns=(1, path.stat().st_mtime_ns))
    preflight.check(opt_ml, small.settings())
    assert [path.name for path in paths if path.stat().st_atime_ns != 1] == ["other.xyz"]
