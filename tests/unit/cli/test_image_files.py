"""Images in the files and folders that a user names."""

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
