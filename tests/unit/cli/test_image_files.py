"""Images in the files and folders that a user names."""

import json
import unicodedata
from pathlib import Path

import pytest
from PIL import Image

from image_classifier.cli.predictions import image_files
from image_classifier.cli.predictions.image_files import ImageFile
from image_classifier.contract.errors import UserError


def make_image(path: Path) -> Path:
    """Write a small JPEG under any name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 4)).save(path, "JPEG")
    return path


def test_class_folders_name_the_classes(tmp_path: Path) -> None:
    """Given a folder of class folders, one of them nested -> the first level below is the class of each image."""
    cat, dog = make_image(tmp_path / "cat" / "1.jpg"), make_image(tmp_path / "dog" / "more" / "2.jpg")
    assert image_files.find([tmp_path]) == [ImageFile(cat, "cat"), ImageFile(dog, "dog")]


def test_folder_of_images_is_a_class_itself(tmp_path: Path) -> None:
    """Given a folder in which images lie directly -> its own name is their class."""
    image = make_image(tmp_path / "cat" / "1.jpg")
    assert image_files.find([tmp_path / "cat"]) == [ImageFile(image, "cat")]


def test_file_that_is_named_is_taken_as_it_is(tmp_path: Path) -> None:
    """Given a file that does not exist -> kept without a class, so that its request reports the error."""
    assert image_files.find([tmp_path / "absent.jpg"]) == [ImageFile(tmp_path / "absent.jpg", None)]


@pytest.mark.parametrize("name", ["list.csv", "list.manifest"])
@pytest.mark.parametrize("is_folder", [False, True], ids=["file", "folder"])
def test_manifest_names_images_and_classes(tmp_path: Path, name: str, is_folder: bool) -> None:
    """Given a manifest, by itself or by its folder -> the images that it lists, with its labels, as in training."""
    first, second = make_image(tmp_path / "all" / "1.jpg"), make_image(tmp_path / "all" / "2.jpg")
    make_image(tmp_path / "all" / "unlisted.jpg")
    if name.endswith(".csv"):
        (tmp_path / name).write_text("path,label\nall/1.jpg,cat\nall/2.jpg,dog\n")
    else:
        lines = [
            {"source-ref": f"s3://b/photos/all/{file}", "label": index, "label-metadata": {"class-name": label}}
            for index, (file, label) in enumerate([("1.jpg", "cat"), ("2.jpg", "dog")])
        ]
        (tmp_path / name).write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    expected = [ImageFile(first, "cat"), ImageFile(second, "dog")]
    assert image_files.find([tmp_path if is_folder else tmp_path / name]) == expected


def test_held_out_images_of_a_manifest_are_taken(tmp_path: Path) -> None:
    """Given a manifest with splits -> the images of its test split, and a line that says so."""
    for name in "123":
        make_image(tmp_path / f"{name}.jpg")
    rows = ["path,label,split", "1.jpg,cat,train", "2.jpg,cat,test", "3.jpg,dog,val", ""]
    (tmp_path / "list.csv").write_text("\n".join(rows))
    said: list[str] = []
    assert image_files.find([tmp_path], said.append) == [ImageFile(tmp_path / "2.jpg", "cat")]
    assert said == ["Taking 1 images of list.csv of the split test, not the other lines."]


def test_mistakes_of_a_manifest_are_named(tmp_path: Path) -> None:
    """Given a line without a file, and a table that is not a manifest -> a sentence each."""
    make_image(tmp_path / "1.jpg")
    (tmp_path / "list.csv").write_text("path,label\n1.jpg,cat\nabsent.jpg,dog\n")
    with pytest.raises(UserError, match=r"absent\.jpg"):
        image_files.find([tmp_path])
    (tmp_path / "list.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match=r"The file .*list\.csv is not a manifest\. Expected a folder, or a CSV file"):
        image_files.find([tmp_path / "list.csv"])


def test_what_is_no_image_is_left_out(tmp_path: Path) -> None:
    """Given hidden files, a thumbnail of a NAS, a text, and a JPEG without an extension -> only the JPEG."""
    image = make_image(tmp_path / "cat" / "photo")
    for name in ("cat/._photo.jpg", "cat/@eaDir/photo/thumb.jpg", ".cache/1.jpg"):
        make_image(tmp_path / name)
    (tmp_path / "cat" / "notes.txt").write_text("no image")
    assert image_files.find([tmp_path]) == [ImageFile(image, "cat")]


def test_decomposed_names_are_composed(tmp_path: Path) -> None:
    """Given a class folder named in NFD -> its class in NFC, like the labels of a model."""
    make_image(tmp_path / unicodedata.normalize("NFD", "café") / "1.jpg")
    assert [image.folder_name for image in image_files.find([tmp_path])] == [unicodedata.normalize("NFC", "café")]


def test_folder_without_images_is_said(tmp_path: Path) -> None:
    """Given an empty folder -> a sentence that names it and the formats."""
    with pytest.raises(UserError, match=r"holds no image. Expected files of JPEG"):
        image_files.find([tmp_path])
