"""gunicorn's worker as it is changed here: what accepting does when it fails, and the sign of life."""

import errno
import logging
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from gunicorn.workers import base

from image_classifier.serving.processes import gunicorn_worker
from image_classifier.serving.processes.gunicorn_worker import Worker


@dataclass
class Listener:
    """A listening socket whose next connections fail."""

    numbers: list[int]

    def accept(self) -> None:
        """Fail with the next error number."""
        raise OSError(self.numbers.pop(0), "no")


@dataclass
class ConnectionLoop:
    """The main loop's connections, some of them idle."""

    idle: int
    asked: list[int] = field(default_factory=list)

    def make_room(self, most: int) -> int:
        """Close what is idle."""
        self.asked.append(most)
        closed, self.idle = self.idle, 0
        return closed


@pytest.fixture
def worker() -> Worker:
    """A worker that was not started, and remembers whether it accepts."""
    found = object.__new__(Worker)
    found.alive, found._accepting, found.sockets = True, True, []
    found.front = ConnectionLoop(0)  # type: ignore[assignment]
    return found


@pytest.mark.parametrize(
    ("number", "goes_on"),
    [
        (errno.EAGAIN, False),
        (errno.ECONNABORTED, True),
        (errno.EPROTO, True),
        (errno.EPERM, True),
        (errno.ENETDOWN, True),
    ],
)
def test_error_of_one_connection_is_not_the_listeners(worker: Worker, number: int, goes_on: bool) -> None:
    """Nothing to accept, and errors that accept(2) tells of one connection -> an end of the round; the next one."""
    assert worker._accept_one(Listener([number])) is goes_on
    assert worker._accepting


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM])
def test_lack_of_files_pauses_accepting(worker: Worker, number: int, caplog: pytest.LogCaptureFixture) -> None:
    """No file left -> idle connections make room; without one accepting pauses, and one line says so."""
    caplog.set_level(logging.WARNING)
    worker.front = ConnectionLoop(3)  # type: ignore[assignment]
    assert worker._accept_one(Listener([number]))
    assert worker._accepting
    assert not worker._accept_one(Listener([number]))
    assert not worker._accepting
    worker.set_accept_enabled(True)
    assert not worker._accepting
    worker._accept_again = 0.0
    worker.set_accept_enabled(True)
    assert worker._accepting
    assert caplog.text.count("A connection cannot be accepted") == 1


def test_broken_listener_is_an_error(worker: Worker) -> None:
    """A listener that is no socket any more -> an error, which ends the process so that another one starts."""
    with pytest.raises(OSError, match="no"):
        worker._accept_one(Listener([errno.EBADF]))


def test_sign_of_life_needs_no_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A temporary folder that is gone -> the heartbeat that gunicorn makes for each process lives in memory."""
    monkeypatch.setattr("tempfile.tempdir", "/nowhere/at/all")
    heartbeat = base.WorkerTmp(None)
    assert isinstance(heartbeat, gunicorn_worker._Heartbeat)
    assert str(Path(f"/proc/self/fd/{heartbeat.fileno()}").readlink()).startswith("/memfd:heartbeat")
    before = heartbeat.last_update()
    heartbeat.notify()
    assert heartbeat.last_update() != before
    heartbeat.close()
