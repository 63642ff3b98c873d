"""scripts/sample-data: into a folder, into S3, rejected."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from image_classifier.cli import sample_data
from image_classifier.contract.errors import UserError
from image_classifier.photographs import fashion, sample_sets
from tests.support.buckets import bucket_on_this_machine


@pytest.mark.every
def test_solar_cells_into_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Given solar cells with --hold-out -> licence, both parts with classes, counts; a second time -> rejected."""
    to = tmp_path / "solar"
    assert sample_data.main(["solar", "--to", str(to), "--hold-out"]) == 0
    said = capsys.readouterr().out
    assert "Licence: CC-BY-NC-SA-4.0, non-commercial." in said
    assert "2,223 images (defective 715, functional 1,508)" in said
    assert sorted(path.name for path in to.iterdir()) == ["held-out", "train"]
    assert len(list(to.glob("held-out/*/*"))) == 302 + 143
    assert sample_data.main(["solar", "--to", str(to)]) == 1
    assert "exists and is not empty" in capsys.readouterr().err


def test_class_folders_into_s3(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Given s3://... as --to -> class folders below the key, as a training channel expects them."""

    def write(folder: Path) -> None:
        for name in ("a b/1.png", "a b/2.png", "c/1.png"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(name.encode())

    monkeypatch.setitem(sample_sets.SAMPLES, "small", sample_sets.SampleData("Small.", "none.", write))
    with bucket_on_this_machine(monkeypatch) as bucket:
        to = f"s3://{bucket.name}/data/small/"
        assert sample_data.main(["small", "--to", to]) == 0
        assert bucket.keys() == ["data/small/a b/1.png", "data/small/a b/2.png", "data/small/c/1.png"]
        assert bucket.read("data/small/c/1.png") == b"c/1.png"
    assert f"{to}: 3 images (a b 2, c 1)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["cars"], "Unknown sample data 'cars'"),
        (["stamps", "--from", "jumpstart"], "has the flowers, not stamps"),
        (["stamps", "--to", "s3://B/x"], "is not an S3 address"),
    ],
)
def test_mistakes_are_said_before_anything_is_fetched(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Given an unknown name, a bucket without that data, an invalid address -> exit code 1 and one sentence."""
    monkeypatch.chdir(tmp_path)
    assert sample_data.main(arguments) == 1
    assert message in capsys.readouterr().err


def idx(path: Path, array: np.ndarray) -> None:
    """Write an IDX file of bytes."""
    header = bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape)
    path.write_bytes(gzip.compress(header + array.tobytes()))


def test_fashion_files_become_grey_images(tmp_path: Path) -> None:
    """Given IDX files of three images -> a grey PNG each, in the folder of its label, the same pixels."""
    images = np.arange(3 * 28 * 28, dtype=np.uint8).reshape(3, 28, 28)
    idx(tmp_path / "train-images-idx3-ubyte.gz", images)
    idx(tmp_path / "train-labels-idx1-ubyte.gz", np.array([9, 0, 9], np.uint8))
    fashion.write_part(tmp_path, "train", tmp_path / "data")
    found = sorted(path.relative_to(tmp_path / "data").as_posix() for path in (tmp_path / "data").rglob("*.png"))
    assert found == ["ankle boot/train-00000.png", "ankle boot/train-00002.png", "t-shirt or top/train-00001.png"]
    with Image.open(tmp_path / "data" / found[1]) as image:
        assert image.mode == "L"
        np.testing.assert_array_equal(np.asarray(image), images[2])


def test_broken_fashion_files_are_said(tmp_path: Path) -> None:
    """Given other data than gzip, another type, a truncated file, other labels -> one sentence each."""
    path = tmp_path / "train-images-idx3-ubyte.gz"
    for content in (b"x", gzip.compress(b"\0\0\x0d\x01"), gzip.compress(bytes((0, 0, 8, 1, 0, 0, 0, 9, 1)))):
        path.write_bytes(content)
        with pytest.raises(UserError, match="is not an IDX file of bytes"):
            fashion.read_idx(path)
    idx(path, np.zeros((2, 28, 28), np.uint8))
    idx(tmp_path / "train-labels-idx1-ubyte.gz", np.zeros(3, np.uint8))
    with pytest.raises(UserError, match="do not match"):
        fashion.write_part(tmp_path, "train", tmp_path / "data")


def test_place_that_holds_something_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given a folder with files, a link, a file, a key with objects -> exit code 1 before any download, unchanged."""

    def unexpected(_: Path) -> None:
        raise AssertionError("fetched")

    monkeypatch.setitem(sample_sets.SAMPLES, "small", sample_sets.SampleData("Small.", "none.", unexpected))
    for name in ("mine", "empty"):
        (tmp_path / name).mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "empty")
    for to in ("mine", "link", "mine/notes.txt", "mine/notes.txt/below"):
        assert sample_data.main(["small", "--to", str(tmp_path / to)]) == 1
        assert f"--to {tmp_path / to} " in capsys.readouterr().err
    with bucket_on_this_machine(monkeypatch) as bucket:
        bucket.put("data/mine.png", b"mine")
        assert sample_data.main(["small", "--to", f"s3://{bucket.name}/data"]) == 1
        assert bucket.keys() == ["data/mine.png"]
    assert "exists and is not empty" in capsys.readouterr().err
    assert (tmp_path / "mine" / "notes.txt").read_text() == "mine"
