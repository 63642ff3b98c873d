"""The folder in which several processes keep their numbers."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from image_classifier import PROGRAM
from image_classifier.serving import worker_state


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temporary folder of the test's own, and a variable that an earlier server has left."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(worker_state, "_IN_MEMORY", tmp_path / "none")
    monkeypatch.setenv(worker_state.VARIABLE, "/of/an/earlier/server")
    return tmp_path


def test_one_process_shares_nothing(temporary: Path) -> None:
    """Given one process -> no folder, and none is looked for, whatever was set before."""
    assert worker_state.prepare(1) is None
    assert worker_state.VARIABLE not in os.environ
    assert list(temporary.iterdir()) == []


def test_several_processes_are_told_of_a_new_folder(temporary: Path) -> None:
    """Given two processes -> an empty folder below the temporary one, named in the environment, gone after the end."""
    folder = worker_state.prepare(2)
    assert folder is not None
    assert (folder.parent, list(folder.iterdir())) == (temporary, [])
    assert os.environ[worker_state.VARIABLE] == str(folder)
    (folder / "counter_7.db").touch()
    worker_state.remove(folder)
    assert list(temporary.iterdir()) == []


def test_process_that_died_is_doing_nothing(temporary: Path) -> None:
    """Given files of two processes of which one died -> what it was doing is dropped, what it has done is kept."""
    names = ("counter_7.db", "gauge_livesum_7.db", "gauge_livesum_17.db", "histogram_7.db")
    for name in names:
        (temporary / name).touch()
    worker_state.forget(temporary, 7)
    assert sorted(path.name for path in temporary.iterdir()) == sorted({*names} - {"gauge_livesum_7.db"})


def test_process_without_a_model_knows_of_those_that_have_theirs(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given two processes -> others are ready from when the first says so until it dies, unless this one is too."""
    assert worker_state.prepare(1) is None
    worker_state.tell_ready()
    assert not worker_state.others_ready()
    folder = worker_state.prepare(2)
    assert not worker_state.others_ready()
    with monkeypatch.context() as other:
        other.setattr(os, "getpid", lambda: 7)
        assert worker_state.take_part()
        worker_state.tell_ready()
        assert not worker_state.others_ready()
    assert worker_state.others_ready()
    worker_state.forget(folder, 7)
    assert not worker_state.others_ready()
    with monkeypatch.context() as other:
        other.setattr(os, "getpid", lambda: 7)
        assert worker_state.take_part()
        worker_state.tell_ready()
    assert worker_state.take_part()
    worker_state.tell_ready()
    assert not worker_state.others_ready()
    worker_state.remove(folder)
    assert not worker_state.others_ready()


def test_folder_is_in_memory_where_that_has_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a folder in memory with room for two processes -> the numbers are there; for a million, they are not."""
    memory = tmp_path / "memory"
    memory.mkdir()
    monkeypatch.setattr(worker_state, "_IN_MEMORY", memory)
    found, elsewhere = worker_state.prepare(2), worker_state.prepare(1_000_000_000)
    assert found is not None
    assert elsewhere is not None
    assert (found.parent, elsewhere.parent) == (memory, tmp_path)


def test_no_folder_can_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a temporary folder that is gone -> no folder is shared, and a process starts all the same."""
    monkeypatch.setattr("tempfile.tempdir", "/nowhere/at/all")
    assert worker_state.prepare(2) is None
    assert worker_state.VARIABLE not in os.environ
    assert worker_state.take_part()


def test_disk_is_full_when_a_process_starts(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a disk with room for two of its files -> a process takes no part, leaves none of them, and is not ready."""
    folder = worker_state.prepare(2)
    assert folder is not None
    allocated = os.posix_fallocate
    calls: list[int] = []

    def allocate(descriptor: int, start: int, size: int) -> None:
        calls.append(size)
        if len(calls) > 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        allocated(descriptor, start, size)

    monkeypatch.setattr(os, "posix_fallocate", allocate)
    assert not worker_state.take_part()
    assert (list(folder.iterdir()), worker_state.VARIABLE in os.environ) == ([], False)
    worker_state.tell_ready()
    assert not worker_state.others_ready()


def test_numbers_of_a_process_lie_in_space_that_is_its_own(temporary: Path) -> None:
    """Given a process that counts requests of every kind -> its files are those that were made at the start."""
    folder = worker_state.prepare(2)
    assert folder is not None
    program = """
from image_classifier.serving import worker_state
assert worker_state.take_part()
from image_classifier.serving.connections.admission import Admission
from image_classifier.serving.monitoring.measurement import Measurement
from image_classifier.serving.monitoring.metrics import Metrics
metrics, load = Metrics(), Admission(1)
for route in range(8):
    for status in range(400, 430):
        metrics.count("/a/rather/long/route/" + str(route), status, Measurement(error="code_" + str(status)), load)
print(len(metrics.text(load)))
"""
    environment = {"PYTHONPATH": str(PROGRAM), worker_state.VARIABLE: str(folder)}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True)
    files = [path for path in folder.iterdir() if path.suffix == ".db"]
    assert {path.name.rpartition("_")[0] for path in files} == set(worker_state.KINDS)
    for path in files:
        assert path.stat().st_size == worker_state.FILE_BYTES
        assert path.stat().st_blocks * 512 >= worker_state.FILE_BYTES
    process = int(files[0].stem.rpartition("_")[2])
    worker_state.forget(folder, process)
    assert sorted(path.name for path in folder.iterdir()) == [f"counter_{process}.db", f"histogram_{process}.db"]
    assert all(8 < path.stat().st_size < 64_000 for path in folder.iterdir())
