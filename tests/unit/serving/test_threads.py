"""The threads that answer requests, also where the system starts no more of them."""

import logging
import threading

import pytest

from image_classifier.serving.processes.threads import AT_START, Threads
from tests.support.waiting import wait_until


class Held:
    """Pieces of work that end when they are told to."""

    def __init__(self) -> None:
        self.release, self.begun = threading.Event(), threading.Semaphore(0)

    def work(self) -> None:
        """Begin, and wait."""
        self.begun.release()
        self.release.wait(30)


@pytest.fixture
def held() -> Held:
    """Work that waits."""
    return Held()


def test_some_threads_are_there_from_the_start_and_more_are_started(held: Held) -> None:
    """More pieces of work than threads at the start -> each has a thread, up to the most; then there is none."""
    pool = Threads(AT_START + 2)
    assert all(pool.submit(held.work) for _ in range(AT_START + 2))
    for _ in range(AT_START + 2):
        assert held.begun.acquire(timeout=10)
    assert not pool.submit(held.work)
    held.release.set()
    wait_until(lambda: pool.submit(held.work), 10, "a thread is free again")


def test_system_without_threads_is_no_error(
    held: Held, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A system that starts no further thread -> the threads that are there work, the rest is told, with one line."""
    # Another test of this process may have set the level that an operator chooses.
    caplog.set_level(logging.WARNING, "image_classifier.serving")
    pool = Threads(AT_START + 9)

    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    assert [pool.submit(held.work) for _ in range(AT_START + 3)] == [True] * AT_START + [False] * 3
    assert caplog.text.count("No thread can be started beside 8") == 1
    held.release.set()
    wait_until(lambda: pool.submit(held.work), 10, "a thread is free again")


def test_no_thread_at_all_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A system that starts not one thread -> work is not taken, and taken later when it does."""

    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    done = threading.Event()
    with monkeypatch.context() as without:
        without.setattr(threading.Thread, "start", start)
        pool = Threads(3)
        assert not pool.submit(done.set)
    assert pool.submit(done.set)
    assert done.wait(10)


def test_work_that_fails_leaves_its_thread(caplog: pytest.LogCaptureFixture) -> None:
    """Work that raises, more often than there are threads -> it is logged, and the threads work on."""

    def fail() -> None:
        raise ValueError("unforeseen")

    pool, done = Threads(2), threading.Event()
    for _ in range(5):
        wait_until(lambda: pool.submit(fail), 10, "a thread is free")
    wait_until(lambda: pool.submit(done.set), 10, "a thread is free")
    assert done.wait(10)
    assert "unforeseen" in caplog.text
