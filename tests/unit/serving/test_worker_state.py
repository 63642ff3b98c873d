"""The folder with the metrics and the readiness of several workers."""

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
    """A temporary folder for the test, and a variable left behind by an earlier server."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(worker_state, "_IN_MEMORY", tmp_path / "none")
    monkeypatch.setenv(worker_state.VARIABLE, "/of/an/earlier/server")
    return tmp_path


def test_single_worker_needs_no_folder(temporary: Path) -> None:
    """Given one worker -> no folder is created, and an inherited variable is removed."""
    assert worker_state.prepare(1) is None
    assert worker_state.VARIABLE not in os.environ
    assert list(temporary.iterdir()) == []


def test_folder_of_several_workers_is_published_in_the_environment(temporary: Path) -> None:
    """Given two workers -> an empty temporary folder, named in the environment, removed at exit."""
    folder = worker_state.prepare(2)
    assert folder is not None
    assert (folder.parent, list(folder.iterdir())) == (temporary, [])
    assert os.environ[worker_state.VARIABLE] == str(folder)
    (folder / "counter_7.db").touch()
    worker_state.remove(folder)
    assert list(temporary.iterdir()) == []


def test_gauges_of_a_crashed_worker_are_dropped(temporary: Path) -> None:
    """Given files of two workers, one of which crashed -> its gauges are dropped, its counters are kept."""
    names = ("counter_7.db", "gauge_livesum_7.db", "gauge_livesum_17.db", "histogram_7.db")
    for name in names:
        (temporary / name).touch()
    worker_state.forget(temporary, 7)
    assert sorted(path.name for path in temporary.iterdir()) == sorted({*names} - {"gauge_livesum_7.db"})


def test_worker_without_a_model_sees_workers_that_are_ready(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given two workers -> another one is ready from its announcement to its exit, unless this one is ready as well."""
    assert worker_state.prepare(1) is None
    worker_state.announce_ready()
    assert not worker_state.another_worker_is_ready()
    folder = worker_state.prepare(2)
    assert not worker_state.another_worker_is_ready()
    with monkeypatch.context() as other:
        other.setattr(os, "getpid", lambda: 7)
        assert worker_state.join()
        worker_state.announce_ready()
        assert not worker_state.another_worker_is_ready()
    assert worker_state.another_worker_is_ready()
    worker_state.forget(folder, 7)
    assert not worker_state.another_worker_is_ready()
    with monkeypatch.context() as other:
        other.setattr(os, "getpid", lambda: 7)
        assert worker_state.join()
        worker_state.announce_ready()
    assert worker_state.join()
    worker_state.announce_ready()
    assert not worker_state.another_worker_is_ready()
    worker_state.remove(folder)
    assert not worker_state.another_worker_is_ready()


def test_folder_is_in_memory_if_there_is_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given an in-memory file system with room for two workers -> it is used for two, but not for a billion."""
    memory = tmp_path / "memory"
    memory.mkdir()
    monkeypatch.setattr(worker_state, "_IN_MEMORY", memory)
    found, elsewhere = worker_state.prepare(2), worker_state.prepare(1_000_000_000)
    assert found is not None
    assert elsewhere is not None
    assert (found.parent, elsewhere.parent) == (memory, tmp_path)


def test_missing_temporary_folder_is_tolerated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a missing temporary folder -> no folder is shared, and a worker starts."""
    monkeypatch.setattr("tempfile.tempdir", "/nowhere/at/all")
    assert worker_state.prepare(2) is None
    assert worker_state.VARIABLE not in os.environ
    assert worker_state.join()


def test_full_disk_at_worker_start_is_tolerated(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a disk with room for two files -> the worker does not join, removes them, and never counts as ready."""
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
    assert not worker_state.join()
    assert (list(folder.iterdir()), worker_state.VARIABLE in os.environ) == ([], False)
    worker_state.announce_ready()
    assert not worker_state.another_worker_is_ready()


def test_metrics_fit_into_the_space_allocated_at_the_start(temporary: Path) -> None:
    """Given a worker with requests of every kind -> it uses only the files allocated at its start."""
    folder = worker_state.prepare(2)
    assert folder is not None
    program = """
from image_classifier.serving import worker_state
assert worker_state.join()
from image_classifier.serving.connections.admission import Admission
from image_classifier.serving.monitoring.measurement import RequestMeasurement
from image_classifier.serving.monitoring.metrics import Metrics
metrics, load = Metrics(), Admission(1)
for route in range(8):
    for status in range(400, 430):
        measured = RequestMeasurement(error="code_" + str(status))
        metrics.count("/a/rather/long/route/" + str(route), status, measured, load)
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
