from pathlib import Path

import pytest

from image_classifier import own_files
from image_classifier.console.datasets import contents, folders, known, labels, selections
from image_classifier.console.datasets.known import Source
from image_classifier.console.roots import allow
from image_classifier.contract.errors import UserError
from tests.support.data_folders import write_classes


def test_data_set_is_remembered_and_forgotten(tmp_path: Path) -> None:
    """Given a folder -> it is known under one key, and removing it leaves its files and labels."""
    photos = write_classes(tmp_path / "photos", {"a": 1, "b": 1})
    one = known.add(tmp_path / "home", "Photos!", {"training": photos})
    again = known.add(tmp_path / "home", "Other name", {"training": photos})
    assert one == again
    assert known.every(tmp_path / "home") == [one]
    labels.edit(tmp_path / "home", one.key, labels.Edit(labels.Action.EXCLUDE, ("training/a/000.png",)), 0)
    known.forget(tmp_path / "home", one.key)
    assert known.every(tmp_path / "home") == []
    assert (photos / "a/000.png").exists()
    assert labels.read(tmp_path / "home", one.key).revision == 1


def test_files_of_the_user_are_never_deleted(tmp_path: Path) -> None:
    """Given the user's own folder, in any disguise -> deleting it is rejected; an imported one is deleted."""
    home = tmp_path / "home"
    photos = write_classes(tmp_path / "photos", {"a": 1, "b": 1})
    inside = write_classes(home / "data" / "mine", {"a": 1, "b": 1})
    for folder, source in ((photos, Source.FOLDER), (photos / "a", Source.UPLOAD), (inside, Source.UPLOAD)):
        data_set = known.add(home, "mine", {"training": folder}, source)
        with pytest.raises(UserError, match="Nothing was deleted"):
            known.delete_imported(home, data_set.key)
    assert (photos / "a/000.png").exists()
    assert (inside / "a/000.png").exists()
    own_files.mark(inside, known.WRITER)
    known.delete_imported(home, data_set.key)
    assert not inside.exists()
    assert known.find(home, data_set.key) is None


def test_channels_that_overlap_are_rejected(tmp_path: Path) -> None:
    """Given a validation folder in the training folder -> an error that names both."""
    photos = write_classes(tmp_path / "photos", {"a": 1, "b": 1})
    with pytest.raises(UserError, match="overlap"):
        known.add(tmp_path, "x", {"training": photos, "validation": photos / "a"})


def test_folder_with_a_manifest_is_the_training_channel(tmp_path: Path) -> None:
    """Given a manifest beside folders that would be channels or only a wrapper -> its folder is the data set."""
    for part in ("train", "val"):
        write_classes(tmp_path / "split" / part, {"a": 1, "b": 1})
    (tmp_path / "wrapped" / "data" / "photos" / "all").mkdir(parents=True)
    assert list(folders.channels_of(tmp_path / "split")) == ["training", "validation"]
    assert folders.unwrapped(tmp_path / "wrapped").name == "photos"
    for folder in ("split", "wrapped/data"):
        (tmp_path / folder / "list.csv").write_text("path,label\ntrain/a/000.png,a\n")
    assert folders.channels_of(tmp_path / "split") == {}
    assert folders.unwrapped(tmp_path / "wrapped").name == "data"


def test_parts_of_a_split_become_channels(tmp_path: Path) -> None:
    """Given train, val and held-out folders -> they are the channels; classes named alike are not."""
    for part in ("train", "val", "held-out"):
        write_classes(tmp_path / "split" / part, {"a": 1, "b": 1})
    write_classes(tmp_path / "classes", {"test": 1, "control": 1})
    assert list(folders.channels_of(tmp_path / "split")) == ["training", "validation", "test"]
    assert folders.channels_of(tmp_path / "classes") == {}
    roots = allow([tmp_path])
    assert set(folders.chosen(roots, {"training": str(tmp_path / "split"), "test": ""})) == {
        "training",
        "validation",
        "test",
    }


def test_folders_are_browsed_within_the_roots_alone(tmp_path: Path) -> None:
    """Given a link out of the allowed folder and a folder above it -> neither is listed or opened."""
    (tmp_path / "root" / "below").mkdir(parents=True)
    (tmp_path / "secret").mkdir()
    (tmp_path / "root" / "link").symlink_to(tmp_path / "secret")
    roots = allow([tmp_path / "root"])
    listing = folders.browse(roots, tmp_path / "root")
    assert [folder.name for folder in listing.below] == ["below"]
    assert [folder.path for folder in folders.browse(roots, tmp_path / "root/below").above] == [tmp_path / "root"]
    for path in ("secret", "root/link", "root/.."):
        with pytest.raises(UserError, match="outside"):
            folders.browse(roots, tmp_path / path)


def test_contents_follow_the_folders(tmp_path: Path) -> None:
    """Given a new image in a folder that was read -> the next reading has it; a flat folder's images have no class."""
    photos = write_classes(tmp_path / "photos", {"a": 2, "b": 1})
    data_set = known.add(tmp_path / "home", "x", {"training": photos})
    assert len(contents.read(data_set)) == 3
    (photos / "b" / "new.png").write_bytes((photos / "a/000.png").read_bytes())
    (photos / "flat.png").write_bytes((photos / "a/001.png").read_bytes())
    found = contents.read(data_set)
    assert [found.channels[0].class_of(row) for row in range(len(found))] == ["a", "a", "b", "b", ""]


def test_window_of_a_grid_costs_no_second_selection(tmp_path: Path) -> None:
    """Given the same question twice, before and after an edit -> the second answer of each is the kept one."""
    photos = write_classes(tmp_path / "photos", {"a": 2, "b": 1})
    data_set = known.add(tmp_path / "home", "x", {"training": photos})
    found, query = contents.read(data_set), selections.Query(class_name="a")
    before = selections.select(found, labels.read(tmp_path / "home", data_set.key), query)
    assert selections.select(found, labels.read(tmp_path / "home", data_set.key), query) is before
    labels.edit(tmp_path / "home", data_set.key, labels.Edit(labels.Action.MOVE, ("training/a/000.png",), "b"), 0)
    after = selections.select(found, labels.read(tmp_path / "home", data_set.key), query)
    assert (len(before), len(after)) == (2, 1)
    assert selections.select(found, labels.read(tmp_path / "home", data_set.key), query) is after
