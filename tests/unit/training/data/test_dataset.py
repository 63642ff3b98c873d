"""Listing and splitting the channels; fault 22 of the list of faults."""

import os
from pathlib import Path

import pytest

from image_classifier.class_folders import channel_listing
from image_classifier.class_folders.listing import Listing
from image_classifier.contract.errors import UserError
from image_classifier.training.data import dataset


def put(folder: Path, *names: str) -> None:
    """Make files; listing never opens them, so they are empty."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def two_classes(folder: Path, count: int = 10) -> Listing:
    """List a channel of two classes with `count` files each."""
    put(folder, *(f"{name}/{index:03}.jpg" for name in ("cat", "dog") for index in range(count)))
    return channel_listing.list_channel(folder, "training")


def test_class_order_is_pythons_sorted(tmp_path: Path) -> None:
    """Folders with capitals and digits -> the order of sorted(), byte by byte."""
    put(tmp_path, "b/1.jpg", "B/1.jpg", "10/1.jpg", "2/1.jpg", "é/1.jpg")
    assert channel_listing.list_channel(tmp_path, "training").class_names == ("10", "2", "B", "b", "é")


def test_nested_folders_are_walked_and_hidden_names_ignored(tmp_path: Path) -> None:
    """Deep folders, hidden files and hidden folders -> the deep file counts, the hidden ones do not."""
    put(tmp_path, "a/deep/er/1.JPG", "a/.hidden.jpg", "a/.git/2.jpg", ".cache/3.jpg", "b/4.webp", "stray.txt")
    listing = channel_listing.list_channel(tmp_path, "training")
    assert listing.class_names == ("a", "b")
    assert [listing.name(example) for example in listing.examples] == ["a/deep/er/1.JPG", "b/4.webp"]


def test_every_extension_in_any_case_counts(tmp_path: Path) -> None:
    """All six extensions in lower and upper case -> listed; others are counted by name, not called bad."""
    put(tmp_path, *(f"a/{i}{e}" for i, e in enumerate([".jpg", ".JPEG", ".Png", ".bmp", ".GIF", ".webp"])))
    put(tmp_path, "a/notes.txt", "a/scan.tiff", "a/README", "b/1.jpg")
    listing = channel_listing.list_channel(tmp_path, "training")
    assert listing.counts() == {"a": 6, "b": 1}
    assert listing.other_files == {".txt": 1, ".tiff": 1, "no extension": 1}


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ((), "is missing"),
        (("readme.txt",), "has no class folders"),
        (("a/notes.txt", "b/notes.txt"), "has no image"),
        (("a/1.jpg",), "has one class, a; a classifier needs two"),
        (
            ("a/1.jpg", "b/notes.txt", "c/.hidden.jpg"),
            r"without an image: b, c\. b holds 1 file\(s\) ending in \.txt; c is empty\.",
        ),
    ],
    ids=["missing", "no classes", "no images", "one class", "empty class"],
)
def test_unusable_channel_is_rejected(tmp_path: Path, files: tuple[str, ...], message: str) -> None:
    """A channel that cannot be trained on -> one sentence that says what is wrong and names it."""
    put(tmp_path / "data", *files) if files else None
    with pytest.raises(UserError, match=message):
        channel_listing.list_channel(tmp_path / "data", "training")


def test_link_out_of_the_channel_is_rejected_and_one_inside_is_not(tmp_path: Path) -> None:
    """A link to a file of the channel -> listed; a link to a file outside -> rejected with both ends."""
    put(tmp_path, "data/a/1.jpg", "data/b/1.jpg", "secret.jpg")
    (tmp_path / "data/a/2.jpg").symlink_to(tmp_path / "data/a/1.jpg")
    assert len(channel_listing.list_channel(tmp_path / "data", "training").examples) == 3
    (tmp_path / "data/b/out.jpg").symlink_to(tmp_path / "secret.jpg")
    with pytest.raises(UserError, match=r"link that leads out of it: .*out\.jpg -> .*secret\.jpg"):
        channel_listing.list_channel(tmp_path / "data", "training")


def test_class_folder_that_is_a_link_out_of_the_channel_is_rejected(tmp_path: Path) -> None:
    """A class folder that is a link to another class -> listed; one that leads outside -> rejected with both ends."""
    put(tmp_path, "data/a/1.jpg", "data/b/1.jpg", "elsewhere/1.jpg")
    (tmp_path / "data/c").symlink_to("a")
    assert channel_listing.list_channel(tmp_path / "data", "training").counts() == {"a": 1, "b": 1, "c": 1}
    (tmp_path / "data/d").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match=r"link that leads out of it: .*data/d -> .*elsewhere"):
        channel_listing.list_channel(tmp_path / "data", "training")


def test_images_are_listed_split_and_hashed_without_being_opened(tmp_path: Path) -> None:
    """Files whose last access lies in the past -> listing, splitting and hashing leave it there."""
    listing = two_classes(tmp_path, 4)
    for example in listing.examples:
        example.path.write_bytes(b"never read")
        os.utime(example.path, ns=(1, example.path.stat().st_mtime_ns))
    again = channel_listing.list_channel(tmp_path, "training")
    dataset.split(again, 0.2, 1)
    dataset.fingerprint(again)
    assert {example.path.stat().st_atime_ns for example in again.examples} == {1}


def test_names_that_are_not_utf8_are_listed_and_hashed(tmp_path: Path) -> None:
    """A file named in Latin-1 -> listed under that name, and the fingerprint counts it."""
    put(tmp_path, "a/1.jpg", "b/1.jpg")
    before = dataset.fingerprint(channel_listing.list_channel(tmp_path, "training"))
    put(tmp_path, "b/caf\udce9.jpg")
    listing = channel_listing.list_channel(tmp_path, "training")
    assert [listing.name(example) for example in listing.examples] == ["a/1.jpg", "b/1.jpg", "b/caf\udce9.jpg"]
    assert dataset.fingerprint(listing) != before


def test_other_channels_must_use_the_training_classes(tmp_path: Path) -> None:
    """A validation class that training lacks -> rejected by name; a class it does not have -> index kept."""
    put(tmp_path, "validation/dog/1.jpg")
    listing = channel_listing.list_channel(tmp_path / "validation", "validation", ("cat", "dog"))
    assert [example.label for example in listing.examples] == [1]
    put(tmp_path, "validation/bird/1.jpg")
    with pytest.raises(UserError, match="classes that the training channel lacks: bird"):
        channel_listing.list_channel(tmp_path / "validation", "validation", ("cat", "dog"))


def test_split_is_stratified_disjoint_and_complete(tmp_path: Path) -> None:
    """A split by 0.2 -> two of ten of each class, no image in both parts, none lost."""
    listing = two_classes(tmp_path)
    training, validation = dataset.split(listing, 0.2, 123)
    assert validation.counts() == {"cat": 2, "dog": 2}
    assert set(training.examples) | set(validation.examples) == set(listing.examples)
    assert not set(training.examples) & set(validation.examples)


def test_split_is_the_same_after_a_restart_and_another_with_another_seed(tmp_path: Path) -> None:
    """The same files listed again in another order -> the same split; another seed -> another one."""
    listing = two_classes(tmp_path)
    shuffled = Listing(listing.folder, listing.class_names, tuple(reversed(listing.examples)))
    assert dataset.split(listing, 0.3, 1) == dataset.split(shuffled, 0.3, 1)
    assert dataset.split(listing, 0.3, 1) != dataset.split(listing, 0.3, 2)


@pytest.mark.parametrize("ratio", [0.01, 0.99])
def test_split_leaves_one_image_on_each_side(tmp_path: Path, ratio: float) -> None:
    """A ratio near an end with few images -> each class still has one on each side."""
    parts = dataset.split(two_classes(tmp_path, 3), ratio, 1)
    assert all(count >= 1 for part in parts for count in part.counts().values())


@pytest.mark.parametrize("ratio", [0.0, 1.0])
def test_split_of_everything_is_rejected(tmp_path: Path, ratio: float) -> None:
    """A ratio of 0 or 1 without a validation channel -> rejected with what to give instead."""
    with pytest.raises(UserError, match="Give a ratio between 0 and 1"):
        dataset.split(two_classes(tmp_path), ratio, 1)


def test_class_of_one_image_cannot_be_split(tmp_path: Path) -> None:
    """One image of a class -> rejected with the class's name."""
    put(tmp_path, "a/1.jpg", "a/2.jpg", "b/1.jpg")
    with pytest.raises(UserError, match="Too few images to split: b has a single one"):
        dataset.split(channel_listing.list_channel(tmp_path, "training"), 0.2, 1)


def test_fingerprint_follows_the_data(tmp_path: Path) -> None:
    """A file more -> another fingerprint; the same files elsewhere -> the same."""
    first, second = two_classes(tmp_path / "1"), two_classes(tmp_path / "2")
    assert dataset.fingerprint(first) == dataset.fingerprint(second)
    put(tmp_path / "2", "cat/more.jpg")
    assert dataset.fingerprint(channel_listing.list_channel(tmp_path / "2", "training")) != dataset.fingerprint(first)
