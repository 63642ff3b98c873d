"""Fetching photographs: counts, licence, what is held out."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from image_classifier.contract.errors import UserError
from image_classifier.photographs import sample_sets


def counts(folder: Path) -> dict[str, int]:
    """Count the images of each class over both parts."""
    found: dict[str, int] = {}
    for path in folder.glob("*/*/*"):
        found[path.parent.name] = found.get(path.parent.name, 0) + 1
    return found


@pytest.mark.every
def test_solar_cells_are_the_sure_ones_and_the_licence_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given the package -> 1,508 functional and 715 defective cells, a fifth held out, and the licence."""
    folder = sample_sets.fetch("solar", tmp_path / "solar")
    assert counts(folder) == {"functional": 1508, "defective": 715}
    assert len(list((folder / "held-out").glob("*/*"))) == 302 + 143
    assert "non-commercial" in capsys.readouterr().out


@pytest.mark.every
def test_stamps_are_photographs_on_white(tmp_path: Path) -> None:
    """Given the Debian package -> 35, 24, 44 and 64 images in RGB whose corner is white; drawings are left out."""
    folder = sample_sets.fetch("stamps", tmp_path / "stamps")
    assert counts(folder) == {"birds": 35, "flowers": 24, "fruit and vegetables": 44, "mammals": 64}
    corners = []
    for path in folder.glob("*/*/*"):
        with Image.open(path) as image:
            assert image.mode == "RGB"
            corners.append(image.getpixel((0, 0)))
    assert np.mean([corner == (255, 255, 255) for corner in corners]) > 0.8


def test_held_out_images_stay_the_same_when_others_come(tmp_path: Path) -> None:
    """Given ten images per class, then one more -> disjoint parts; at most one image changes its part."""
    for index in range(10):
        (tmp_path / "all" / "a" / "deep").mkdir(parents=True, exist_ok=True)
        (tmp_path / "all" / "a" / "deep" / f"{index}.jpg").write_bytes(b"x")
    (tmp_path / "all" / "a" / "notes.txt").write_text("no image")
    first = sample_sets.hold_out(tmp_path / "all", tmp_path / "parts")
    held = {path.name for path in (first / "held-out" / "a").rglob("*.jpg")}
    kept = {path.name for path in (first / "train" / "a").rglob("*.jpg")}
    assert (len(held), len(kept), held & kept) == (2, 8, set())
    (tmp_path / "all" / "a" / "new.jpg").write_bytes(b"x")
    again = sample_sets.hold_out(tmp_path / "all", tmp_path / "parts")
    assert len(held - {path.name for path in (again / "held-out" / "a").rglob("*.jpg")}) <= 1


def test_folder_without_images_and_unknown_name_are_said(tmp_path: Path) -> None:
    """Given a folder without class folders, an unknown name -> one sentence each."""
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="has no images in class folders"):
        sample_sets.hold_out(tmp_path / "empty", tmp_path / "parts")
    with pytest.raises(UserError, match="Choose one of: solar, stamps, flowers, fashion"):
        sample_sets.fetch("cars", tmp_path / "cars")


def test_small_classes_are_held_out_of_too(tmp_path: Path) -> None:
    """Given two images in a class -> one is held out; a class of one stays for training."""
    for name in ("pair/1.jpg", "pair/2.jpg", "single/1.jpg"):
        (tmp_path / "all" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "all" / name).write_bytes(b"x")
    parts = sample_sets.hold_out(tmp_path / "all", tmp_path / "parts")
    found = sorted("/".join(path.relative_to(parts).parts[:2]) for path in parts.glob("*/*/*"))
    assert found == ["held-out/pair", "train/pair", "train/single"]


@pytest.mark.parametrize("into", [".", "parts", ".."])
def test_folder_is_never_emptied_for_its_own_parts(tmp_path: Path, into: str) -> None:
    """Given parts inside, around or instead of the given folder -> rejected, and the images are kept."""
    image = tmp_path / "all" / "a" / "1.jpg"
    image.parent.mkdir(parents=True)
    image.write_bytes(b"x")
    with pytest.raises(UserError, match="one lies in the other"):
        sample_sets.hold_out(tmp_path / "all", tmp_path / "all" / into)
    assert image.is_file()


@pytest.mark.parametrize("name", ["notes.txt", "train/a/1.jpg"])
def test_parts_never_replace_what_is_not_theirs(tmp_path: Path, name: str) -> None:
    """Given a folder of the user in place of the parts -> rejected, its files kept; earlier parts are replaced."""
    for path in ("all/a/1.jpg", "all/a/2.jpg", f"mine/{name}"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(b"x")
    with pytest.raises(UserError, match="that this program did not write"):
        sample_sets.hold_out(tmp_path / "all", tmp_path / "mine")
    assert (tmp_path / "mine" / name).is_file()
    parts = sample_sets.hold_out(tmp_path / "all", tmp_path / "parts")
    (parts / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match=r"holds notes\.txt that this program did not write"):
        sample_sets.hold_out(tmp_path / "all", parts)
    assert len(list(parts.glob("*/a/*.jpg"))) == 2
    (parts / "notes.txt").unlink()
    (tmp_path / "all" / "a" / "1.jpg").unlink()
    assert len(list(sample_sets.hold_out(tmp_path / "all", parts).glob("*/a/*.jpg"))) == 1


def test_parts_do_not_follow_a_link(tmp_path: Path) -> None:
    """Given a link in place of the parts -> rejected, and its target is kept."""
    for path in ("all/a/1.jpg", "mine/train/a/1.jpg"):
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_bytes(b"x")
    (tmp_path / "link").symlink_to(tmp_path / "mine")
    with pytest.raises(UserError, match="is a link"):
        sample_sets.hold_out(tmp_path / "all", tmp_path / "link")
    assert (tmp_path / "mine" / "train" / "a" / "1.jpg").is_file()


def test_files_that_come_while_data_is_fetched_stay(tmp_path: Path) -> None:
    """Given a folder that fills during the download -> rejected, and the file is kept."""
    into = tmp_path / "data"
    into.mkdir()

    def write(folder: Path) -> None:
        (folder / "a").mkdir(parents=True)
        (folder / "a" / "1.png").write_bytes(b"x")
        (into / "notes.txt").write_text("mine")

    with pytest.raises(UserError, match="Nothing was removed"):
        sample_sets.write(sample_sets.SampleData("Small.", "none.", write), into, write, divided=False)
    assert [path.name for path in into.iterdir()] == ["notes.txt"]


def test_thumbnails_of_storage_and_names_that_meet_are_kept_apart(tmp_path: Path) -> None:
    """Given thumbnails of a NAS, AppleDouble files, `b/1.jpg` beside `b-1.jpg` -> the images of the user alone, all."""
    images = ["a/1.jpg", "a/b/1.jpg", "a/b-1.jpg", "c/1.jpg", "c/2.jpg"]
    for name in (*images, "a/@eaDir/1.jpg", "a/._1.jpg", "c/b/.hidden/1.jpg", "@eaDir/1.jpg", "__MACOSX/a/1.jpg"):
        (tmp_path / "all" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "all" / name).write_text(name)
    parts = sample_sets.hold_out(tmp_path / "all", tmp_path / "parts")
    assert sorted(path.read_text() for path in parts.glob("*/**/*.jpg")) == sorted(images)
