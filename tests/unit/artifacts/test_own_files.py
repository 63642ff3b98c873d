"""Folders of this program: a new one under the first free name, never one that another process made."""

import itertools
from pathlib import Path

import pytest

from image_classifier import own_files


def test_new_folder_has_the_first_free_name(tmp_path: Path) -> None:
    """Given a parent that is missing, then names of which some are taken -> the first free one, for its user alone."""
    parent = tmp_path / "endpoints"
    made = [own_files.new_folder(parent, (f"birds-{number}" for number in itertools.count(1))) for _ in range(3)]
    assert [folder.name for folder in made] == ["birds-1", "birds-2", "birds-3"]
    assert {folder.stat().st_mode & 0o777 for folder in [parent, *made]} == {0o700}


def test_taken_names_are_an_error(tmp_path: Path) -> None:
    """Given one name, of a file -> an error, and the file stays."""
    (tmp_path / "birds").write_text("photos")
    with pytest.raises(FileExistsError, match="File exists"):
        own_files.new_folder(tmp_path, ["birds"])
    assert (tmp_path / "birds").read_text() == "photos"
