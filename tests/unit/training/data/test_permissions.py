"""Folders and files that may not be read or written."""

import os
import tempfile
from pathlib import Path

import pytest

from image_classifier.class_folders import permissions
from image_classifier.contract.opt_ml import OptMl
from image_classifier.training.data import preflight
from tests.unit.training import small
from tests.unit.training.trees import put, rejected


@pytest.mark.parametrize("part", ["model", "output", "output/data", "checkpoints"])
def test_unwritable_folder_is_the_platforms(opt_ml: OptMl, modes_count: None, part: str) -> None:
    """A folder that the job writes to, read-only -> PlatformError with path and uid."""
    folder = opt_ml.base / part
    folder.mkdir(parents=True)
    folder.chmod(0o555)
    assert (
        f"PlatformError: The folder {folder} cannot be written to (Permission denied) by uid {os.geteuid()}"
        in rejected(opt_ml)
    )


@pytest.mark.parametrize("part", ["model", "output", "output/data", "checkpoints"])
def test_file_where_a_folder_should_be_is_the_platforms(opt_ml: OptMl, part: str) -> None:
    """A file in place of a folder that the job writes to -> PlatformError with its path."""
    put(opt_ml.base, part)
    said = rejected(opt_ml)
    assert said.startswith("PlatformError: ")
    assert f"{opt_ml.base / part} cannot be written to (Not a directory) by uid {os.geteuid()}" in said


def test_folders_that_do_not_exist_yet_are_not_made(opt_ml: OptMl) -> None:
    """A tree without model and output folders -> the check passes and leaves the tree as it was."""
    preflight.check(opt_ml, small.settings())
    assert {path.name for path in opt_ml.base.iterdir()} == {"input"}


def test_scratch_folder_that_does_not_exist(opt_ml: OptMl, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """TMPDIR names a folder that is missing -> PlatformError with its path, no silent use of another one."""
    monkeypatch.setenv("TMPDIR", str(tmp_path / "gone"))
    assert f"The folder for scratch files {tmp_path / 'gone'}, which TMPDIR names, does not exist" in rejected(opt_ml)


def test_scratch_folder_that_is_read_only(
    opt_ml: OptMl, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, modes_count: None
) -> None:
    """TMPDIR names a read-only folder -> PlatformError with its path."""
    (tmp_path / "scratch").mkdir(mode=0o555)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "scratch"))
    assert f"The folder {tmp_path / 'scratch'} cannot be written to" in rejected(opt_ml)


def test_machine_without_any_scratch_folder(opt_ml: OptMl, monkeypatch: pytest.MonkeyPatch) -> None:
    """No folder that Python would take for scratch files -> PlatformError, not a trace."""
    for name in ("TMPDIR", "TEMP", "TMP"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(tempfile, "gettempdir", lambda: (_ for _ in ()).throw(FileNotFoundError(2, "No usable folder")))
    assert permissions.unusable_scratch() is not None
    assert "Set TMPDIR" in str(permissions.unusable_scratch())


def test_unreadable_class_folder_and_files_are_the_platforms(opt_ml: OptMl, training: Path, modes_count: None) -> None:
    """A class folder and two files without permission -> both named in one PlatformError, before any is decoded."""
    (training / "red").chmod(0)
    for number in (1, 3):
        (training / f"blue/{number}.jpg").chmod(0)
    said = rejected(opt_ml)
    (training / "red").chmod(0o755)
    assert said.startswith("PlatformError: 2 problems")
    assert f"{training / 'red'} (Permission denied) cannot be read by uid {os.geteuid()}" in said
    assert f"2 files ({training / 'blue/1.jpg'}, {training / 'blue/3.jpg'}) cannot be read by uid" in said


def test_files_are_not_asked_where_modes_mean_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Root with its capabilities -> no file is asked for its permission, which on a network would be a trip each."""
    monkeypatch.setattr(permissions, "ignores_file_modes", lambda: True)
    monkeypatch.setattr(os, "access", lambda *_, **__: pytest.fail("asked"))
    assert permissions.unreadable_files([tmp_path / "1.jpg"]) == []
