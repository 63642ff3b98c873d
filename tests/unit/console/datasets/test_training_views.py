import os
from pathlib import Path

import pytest

from image_classifier.class_folders import channel_listing, channel_scan
from image_classifier.console import datasets
from image_classifier.console.datasets import contents, known, labels, training_views
from image_classifier.console.datasets.labels import Action, Edit
from image_classifier.console.datasets.training_views import Links
from image_classifier.contract.errors import UserError
from tests.support.data_folders import write_classes


def names_below(folder: Path) -> list[str]:
    """Return the paths of a view's files."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and path.name[0] != ".")


@pytest.fixture
def edited(tmp_path: Path) -> known.DataSet:
    """A data set with one image moved to a new class, one excluded, and two images of one name in a class."""
    photos = write_classes(tmp_path / "photos", {"a": 3, "b": 2})
    (photos / "b" / "more").mkdir()
    (photos / "b" / "more" / "000.png").write_bytes((photos / "a" / "002.png").read_bytes())
    data_set = known.add(tmp_path / "home", "photos", {"training": photos})
    labels.edit(tmp_path / "home", data_set.key, Edit(Action.MOVE, ("training/a/000.png",), "c"), 0)
    labels.edit(tmp_path / "home", data_set.key, Edit(Action.MOVE, ("training/a/001.png",), "b"), 1)
    labels.edit(tmp_path / "home", data_set.key, Edit(Action.EXCLUDE, ("training/b/001.png",)), 2)
    return data_set


def test_training_reads_the_view_as_the_labels_say(edited: known.DataSet, tmp_path: Path) -> None:
    """Given labels that differ from the folders -> training lists the view's images by the new classes."""
    before = names_below(tmp_path / "photos")
    view = datasets.training_view(tmp_path / "home", edited.key, tmp_path / "view")
    assert names_below(view) == [
        "training/a/002.png",
        "training/b/000.png",
        "training/b/001.png",
        "training/b/more-000.png",
        "training/c/000.png",
    ]
    found = channel_listing.list_channel(view / "training", "training")
    assert found.counts() == {"a": 1, "b": 3, "c": 1}
    assert (view / "training/c/000.png").samefile(tmp_path / "photos/a/000.png")
    assert names_below(tmp_path / "photos") == before


def test_user_s_own_folders_are_trained_on_where_no_label_differs(tmp_path: Path) -> None:
    """Given no overlay -> the channels are the user's folders, and no view is written."""
    photos = write_classes(tmp_path / "photos", {"a": 1, "b": 1})
    data_set = known.add(tmp_path / "home", "photos", {"training": photos})
    channels = datasets.channels_for_training(tmp_path / "home", data_set.key, tmp_path / "view")
    assert channels == {"training": photos}
    assert not (tmp_path / "view").exists()


def test_labels_and_splits_of_a_manifest(tmp_path: Path) -> None:
    """Given a manifest with a split, and one label changed -> its labels are shown; the view keeps the splits."""
    photos = write_classes(tmp_path / "photos", {"all": 4})
    (photos / "top.png").write_bytes((photos / "all/000.png").read_bytes())
    manifest = photos / "list.csv"
    splits = ("", "", "validation", "val")
    rows = [f"all/{number:03}.png,{'ab'[number % 2]},{split}" for number, split in enumerate(splits)]
    manifest.write_text("\n".join(["path,label,split", *rows, "top.png,b,"]))
    home = tmp_path / "home"
    data_set = known.add(home, "photos", {"training": photos})
    found = contents.read(data_set)
    assert found.class_names == ("a", "b")
    assert [channel.class_of(row) for channel, row in found.images()] == ["a", "a", "b", "b", "b"]
    assert datasets.channels_for_training(home, data_set.key, tmp_path / "view") == {"training": photos}
    labels.edit(home, data_set.key, Edit(Action.MOVE, ("training/all/001.png",), "a"), 0)
    channels = datasets.channels_for_training(home, data_set.key, tmp_path / "view")
    assert channels == {name: tmp_path / "view" / name for name in ("training", "validation")}
    assert names_below(tmp_path / "view") == [
        *("training/a/000.png", "training/a/001.png", "training/b/top.png"),
        *("validation/a/002.png", "validation/b/003.png"),
    ]
    manifest.write_text("all/000.png,c\nall/001.png,d\n")
    assert contents.read(data_set).class_names == ("c", "d")


@pytest.mark.parametrize("links", [Links.RELATIVE, Links.ABSOLUTE])
def test_exported_links_lead_to_the_originals(links: Links, edited: known.DataSet, tmp_path: Path) -> None:
    """Given symbolic links -> each leads to its image, and training says that they lead out of the channel."""
    view = training_views.export(tmp_path / "home", edited, tmp_path / "far" / "view", links)
    link = view / "training" / "c" / "000.png"
    assert link.is_symlink()
    assert link.readlink().is_absolute() is (links is Links.ABSOLUTE)
    assert link.samefile(tmp_path / "photos/a/000.png")
    assert "leads out of it" in channel_scan.scan(view / "training", "training").problems[0].text


@pytest.mark.parametrize("place", ["photos", "photos/view", "."])
def test_export_overlaps_nothing(place: str, edited: known.DataSet, tmp_path: Path) -> None:
    """Given a folder for the export in, or around, the images -> an error, and nothing is written."""
    before = names_below(tmp_path)
    with pytest.raises(UserError, match=r"overlaps|not empty"):
        training_views.export(tmp_path / "home", edited, tmp_path / place, Links.HARD)
    assert names_below(tmp_path) == before


def test_export_replaces_no_folder_with_files(edited: known.DataSet, tmp_path: Path) -> None:
    """Given an existing folder with a file -> an error, and the file stays."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="not empty"):
        training_views.export(tmp_path / "home", edited, tmp_path / "mine", Links.HARD)
    assert (tmp_path / "mine" / "notes.txt").read_text() == "mine"


def test_other_file_system_gets_copies(edited: known.DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a target on another file system -> the view holds copies with the same content."""

    def other_device(*given: object, **more: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", other_device)
    view = datasets.training_view(tmp_path / "home", edited.key, tmp_path / "view")
    copy, original = view / "training/c/000.png", tmp_path / "photos/a/000.png"
    assert copy.read_bytes() == original.read_bytes()
    assert not copy.samefile(original)
