"""The folder in which several processes keep their numbers."""

import os
from pathlib import Path

import pytest

from image_classifier.serving import shared_folder


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temporary folder of the test's own, and a variable that an earlier server has left."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv(shared_folder.VARIABLE, "/of/an/earlier/server")
    return tmp_path


def test_one_process_shares_nothing(temporary: Path) -> None:
    """Given one process -> no folder, and none is looked for, whatever was set before."""
    assert shared_folder.prepare(1) is None
    assert shared_folder.VARIABLE not in os.environ
    assert list(temporary.iterdir()) == []


def test_several_processes_are_told_of_a_new_folder(temporary: Path) -> None:
    """Given two processes -> an empty folder below the temporary one, named in the environment, gone after the end."""
    folder = shared_folder.prepare(2)
    assert folder is not None
    assert (folder.parent, list(folder.iterdir())) == (temporary, [])
    assert os.environ[shared_folder.VARIABLE] == str(folder)
    (folder / "counter_7.db").touch()
    shared_folder.remove(folder)
    assert list(temporary.iterdir()) == []


def test_process_that_died_is_doing_nothing(temporary: Path) -> None:
    """Given files of two processes of which one died -> what it was doing is dropped, what it has done is kept."""
    names = ("counter_7.db", "gauge_livesum_7.db", "gauge_livesum_17.db", "histogram_7.db")
    for name in names:
        (temporary / name).touch()
    shared_folder.forget(temporary, 7)
    assert sorted(path.name for path in temporary.iterdir()) == sorted({*names} - {"gauge_livesum_7.db"})


def test_process_without_a_model_knows_of_those_that_have_theirs(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given two processes -> others are ready from when the first says so until it dies, unless this one is too."""
    assert shared_folder.prepare(1) is None
    shared_folder.tell_ready()
    assert not shared_folder.others_ready()
    folder = shared_folder.prepare(2)
    assert not shared_folder.others_ready()
    with monkeypatch.context() as other:
        other.setattr(os, "getpid", lambda: 7)
        shared_folder.tell_ready()
        assert not shared_folder.others_ready()
    assert shared_folder.others_ready()
    shared_folder.forget(folder, 7)
    assert not shared_folder.others_ready()
    with monkeypatch.context() as other:
        other.setattr(os, "getpid", lambda: 7)
        shared_folder.tell_ready()
    shared_folder.tell_ready()
    assert not shared_folder.others_ready()
    shared_folder.remove(folder)
    assert not shared_folder.others_ready()
