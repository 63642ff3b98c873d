"""Atomic, durable writes: the old content or the complete new one, and nothing left beside it."""

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest

from image_classifier import durable_files


@pytest.mark.parametrize("value", [{"loss": float("nan")}, {"path": Path()}])
def test_json_that_cannot_be_written_leaves_the_old_file(tmp_path: Path, value: Any) -> None:
    """Given a value that JSON cannot represent -> an error, the old file unchanged, nothing beside it."""
    path = tmp_path / "file.json"
    durable_files.write_json(path, {"old": 1})
    with pytest.raises((ValueError, TypeError)):
        durable_files.write_json(path, value)
    assert json.loads(path.read_text()) == {"old": 1}
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("text", ["half \ud83c of a character", "caf\udce9", "größer"])
def test_json_holds_any_text(tmp_path: Path, text: str) -> None:
    """Given a lone surrogate, or a byte that is not UTF-8 -> a UTF-8 file that reads back equal."""
    durable_files.write_json(tmp_path / "info.json", {"source": text})
    assert json.loads((tmp_path / "info.json").read_text(encoding="utf-8")) == {"source": text}


def test_full_disk_leaves_the_old_file_and_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a disk that is full at fsync -> OSError with the target's name, the old content, no temporary file."""
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left on device") as caught:
        durable_files.write_bytes(path, b"new")
    assert caught.value.filename == str(path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_link_under_the_temporary_name_is_not_followed(tmp_path: Path) -> None:
    """Given a link to a user's file under the temporary name -> the target is written, the user's file unchanged."""
    foreign = tmp_path / "foreign"
    foreign.write_bytes(b"mine")
    (tmp_path / "file.partial").symlink_to(foreign)
    durable_files.write_bytes(tmp_path / "file", b"new")
    assert ((tmp_path / "file").read_bytes(), foreign.read_bytes()) == (b"new", b"mine")


@pytest.mark.parametrize("fails", [False, True])
def test_replacement_appears_only_when_complete(tmp_path: Path, fails: bool) -> None:
    """Given a writer that finishes or fails halfway -> the new content or the old one, and no temporary file."""
    path = tmp_path / "file"
    path.write_bytes(b"old")
    try:
        with durable_files.replacing(path) as partial:
            partial.write_bytes(b"new")
            assert path.read_bytes() == b"old"
            if fails:
                raise InterruptedError
    except InterruptedError:
        pass
    assert path.read_bytes() == (b"old" if fails else b"new")
    assert list(tmp_path.iterdir()) == [path]


def test_content_is_synced_before_its_rename(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given each kind of write -> fsync of the temporary file, then the rename, then fsync of the folder's entries."""
    order: list[str] = []
    fsync, replace, rename = os.fsync, Path.replace, Path.rename

    def synced(descriptor: int) -> None:
        order.append(f"sync {Path(f'/proc/self/fd/{descriptor}').readlink().name}")
        fsync(descriptor)

    def moved(path: Path, target: Path, move: Any) -> Path:
        order.append(f"rename {Path(target).name}")
        return Path(move(path, target))

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", lambda path, target: moved(path, target, replace))
    monkeypatch.setattr(Path, "rename", lambda path, target: moved(path, target, rename))
    durable_files.write_bytes(tmp_path / "a", b"x")
    with durable_files.replacing(tmp_path / "b") as partial:
        partial.write_bytes(b"x")
    assert order == ["sync a.partial", "rename a", "sync b", "rename b"]
    order.clear()
    folder = tmp_path / "parent" / "partial"
    folder.mkdir(parents=True)
    (folder / "file").write_bytes(b"x")
    durable_files.sync_tree(folder)
    durable_files.rename_folder(folder, tmp_path / "parent" / "folder")
    assert order == ["sync file", "rename folder", "sync parent"]
