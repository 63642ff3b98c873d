"""Our gunicorn worker: how it handles failing accept() calls."""

import errno
import logging
from dataclasses import dataclass, field

import pytest

from image_classifier.serving.processes.gunicorn_worker import Worker


@dataclass
class Listener:
    """A listening socket whose next accept() calls fail."""

    numbers: list[int]

    def accept(self) -> None:
        """Fail with the next error number."""
        raise OSError(self.numbers.pop(0), "no")


@dataclass
class IdleConnections:
    """A connection loop with some idle connections."""

    idle: int
    requested: list[int] = field(default_factory=list)

    def make_room(self, most: int) -> int:
        """Close the idle connections."""
        self.requested.append(most)
        closed, self.idle = self.idle, 0
        return closed


@pytest.fixture
def worker() -> Worker:
    """A worker that was not started."""
    created = object.__new__(Worker)
    created.alive, created._accepting, created.sockets = True, True, []
    created.connection_loop = IdleConnections(0)  # type: ignore[assignment]
    return created


@pytest.mark.parametrize(
    ("number", "continues"),
    [
        (errno.EAGAIN, False),
        (errno.ECONNABORTED, True),
        (errno.EPROTO, True),
        (errno.EPERM, True),
        (errno.ENETDOWN, True),
    ],
)
def test_error_of_one_connection_does_not_stop_accepting(worker: Worker, number: int, continues: bool) -> None:
    """Given EAGAIN, or an error of one connection (accept(2)) -> the round ends, or the next connection is tried."""
    assert worker._accept_one(Listener([number])) is continues
    assert worker.is_accepting


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM])
def test_exhausted_descriptors_pause_accepting(worker: Worker, number: int, caplog: pytest.LogCaptureFixture) -> None:
    """Given no free descriptor -> idle connections are closed; without any, accepting pauses, with one warning."""
    caplog.set_level(logging.WARNING)
    worker.connection_loop = IdleConnections(3)  # type: ignore[assignment]
    assert worker._accept_one(Listener([number]))
    assert worker.is_accepting
    assert not worker._accept_one(Listener([number]))
    assert not worker.is_accepting
    worker.on_accept_change(True)
    assert not worker.is_accepting
    worker._accept_again = 0.0
    worker.on_accept_change(True)
    assert worker.is_accepting
    assert caplog.text.count("Cannot accept a connection") == 1


def test_broken_listener_is_an_error(worker: Worker) -> None:
    """Given a listener that is no longer a socket -> an exception, which ends the worker so that it is restarted."""
    with pytest.raises(OSError, match="no"):
        worker._accept_one(Listener([errno.EBADF]))
