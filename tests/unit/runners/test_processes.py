"""Detached processes: who is found again, who is signalled, and that no other process ever is."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from image_classifier import PROGRAM
from image_classifier.runners import processes
from image_classifier.runners.processes import ProcessRecord
from tests.support.environments import unmeasured
from tests.support.waiting import wait_until

SLEEP = [sys.executable, "-S", "-c", "import time; print('asleep', flush=True); time.sleep(60)"]
PARENT = [sys.executable, "-S", "-c", "import subprocess, sys; subprocess.run(sys.argv[1:])", *SLEEP]


@pytest.fixture
def started(tmp_path: Path) -> Iterator[list[ProcessRecord]]:
    """Records whose sessions are killed afterwards."""
    found: list[ProcessRecord] = []
    yield found
    for each in found:
        processes.kill_session(each)


def start(started: list[ProcessRecord], log: Path, command: list[str] = SLEEP) -> ProcessRecord:
    """Start a process and wait until it says that it runs."""
    started.append(processes.start(command, os.environ, log))
    wait_until(lambda: "asleep" in log.read_text(), 10, "the process writes into its log")
    return started[-1]


def test_record_finds_the_process_until_it_exits(tmp_path: Path, started: list[ProcessRecord]) -> None:
    """Given a record on the disk -> the process runs in a session of its own, and after SIGTERM it does not."""
    found = start(started, tmp_path / "log")
    processes.write(tmp_path / "process.json", found)
    assert processes.read(tmp_path / "process.json") == found
    assert os.getsid(found.pid) == found.pid
    assert processes.is_running(found)
    assert processes.memory_bytes([found]) > 2**20
    assert processes.send(found, signal.SIGTERM)
    wait_until(lambda: not processes.is_running(found), 10, "the process exits")
    assert not processes.send(found, signal.SIGTERM)


def test_starter_that_is_killed_takes_nothing_with_it(tmp_path: Path, started: list[ProcessRecord]) -> None:
    """Given kill -9 of the starter -> the process still runs, and is signalled by its record."""
    script = (
        "import os, signal, sys; from pathlib import Path; from image_classifier.runners import processes\n"
        "folder = Path(sys.argv[1])\n"
        "processes.write(folder / 'p.json', processes.start(sys.argv[2:], os.environ, folder / 'log'))\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    command = [sys.executable, "-c", script, str(tmp_path), *SLEEP]
    assert subprocess.run(command, check=False, env=unmeasured(PYTHONPATH=str(PROGRAM))).returncode == -signal.SIGKILL
    found = processes.read(tmp_path / "p.json")
    assert found is not None
    started.append(found)
    assert processes.is_running(found)


@pytest.mark.parametrize("wrong", [{"start_ticks": 1}, {"boot_id": "of another start of the machine"}], ids=str)
def test_recycled_pid_is_never_signalled(
    tmp_path: Path, started: list[ProcessRecord], wrong: dict[str, object]
) -> None:
    """Given a record with the pid of another process -> it is neither running nor signalled, alone or as a session."""
    found = start(started, tmp_path / "log")
    stale = replace(found, **wrong)  # type: ignore[arg-type]
    assert not processes.is_running(stale)
    assert not processes.send(stale, signal.SIGKILL)
    assert processes.session(stale) == []
    assert processes.kill_session(stale) == 0
    assert processes.is_running(found)


def test_session_outlives_its_leader(tmp_path: Path, started: list[ProcessRecord]) -> None:
    """Given a leader that is killed -> its child is found by the leader's record, and the session can be killed."""
    leader = start(started, tmp_path / "log", PARENT)
    assert len(processes.session(leader)) == 2
    assert processes.outermost(processes.session(leader)) == [leader]
    processes.send(leader, signal.SIGKILL)
    wait_until(lambda: not processes.is_running(leader), 10, "the leader exits")
    (child,) = processes.session(leader)
    # As if the pid had been reused for another session, whose leader has exited as well.
    assert processes.session(replace(leader, token="of another session")) == []
    assert processes.session(replace(leader, token="")) == []
    assert processes.outermost([child]) == [child]
    assert processes.kill_session(leader) == 1
    wait_until(lambda: not processes.session(leader), 10, "the child exits")


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"pid": "x", "start_ticks": 1, "boot_id": "b"}'])
def test_damaged_record_is_none(tmp_path: Path, text: str) -> None:
    """Given a file that is missing, empty or holds anything else -> None."""
    assert processes.read(tmp_path / "process.json") is None
    (tmp_path / "process.json").write_text(text)
    assert processes.read(tmp_path / "process.json") is None


def test_start_time_is_this_one(tmp_path: Path, started: list[ProcessRecord]) -> None:
    """Given a process that was started just now -> its start as Unix time is within two seconds of its log's time."""
    found = start(started, tmp_path / "log")
    assert processes.started_at(found) == pytest.approx((tmp_path / "log").stat().st_mtime, abs=2)
