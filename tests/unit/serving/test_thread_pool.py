"""The threads that answer requests, also where the system allows no more of them."""

import logging
import threading

import pytest

from image_classifier.serving.processes.thread_pool import INITIAL_THREADS, ThreadPool
from tests.support.waiting import wait_until


class Blocker:
    """Work that blocks until it is released."""

    def __init__(self) -> None:
        self.release, self.started = threading.Event(), threading.Semaphore(0)

    def work(self) -> None:
        """Signal the start, and block."""
        self.started.release()
        self.release.wait(30)


@pytest.fixture
def blocker() -> Blocker:
    """Work that blocks."""
    return Blocker()


def fail_to_start(thread: threading.Thread) -> None:
    """Fail as Thread.start() does at the system's limit of threads."""
    raise RuntimeError("can't start new thread")


def test_threads_are_started_on_demand_up_to_the_limit(blocker: Blocker) -> None:
    """Given more work than initial threads -> each piece gets a thread up to the limit, further work is declined."""
    pool = ThreadPool(INITIAL_THREADS + 2)
    assert all(pool.submit(blocker.work) for _ in range(INITIAL_THREADS + 2))
    for _ in range(INITIAL_THREADS + 2):
        assert blocker.started.acquire(timeout=10)
    assert not pool.submit(blocker.work)
    blocker.release.set()
    wait_until(lambda: pool.submit(blocker.work), 10, "a thread is free again")


def test_limit_of_threads_is_tolerated(
    blocker: Blocker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Given a system that allows no further thread -> the initial threads work, the rest is declined, one warning."""
    # Another test of this process may have changed the level.
    caplog.set_level(logging.WARNING, "image_classifier.serving")
    pool = ThreadPool(INITIAL_THREADS + 9)
    monkeypatch.setattr(threading.Thread, "start", fail_to_start)
    submitted = [pool.submit(blocker.work) for _ in range(INITIAL_THREADS + 3)]
    assert submitted == [True] * INITIAL_THREADS + [False] * 3
    assert caplog.text.count("Cannot start more than 8 threads") == 1
    blocker.release.set()
    wait_until(lambda: pool.submit(blocker.work), 10, "a thread is free again")


def test_pool_without_any_thread_recovers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a system that allows no thread at all -> work is declined, and accepted once threads can be started."""
    done = threading.Event()
    with monkeypatch.context() as limited:
        limited.setattr(threading.Thread, "start", fail_to_start)
        pool = ThreadPool(3)
        assert not pool.submit(done.set)
    assert pool.submit(done.set)
    assert done.wait(10)


def test_thread_survives_failing_work(caplog: pytest.LogCaptureFixture) -> None:
    """Given work that raises, more often than there are threads -> it is logged, and the threads continue."""

    def fail() -> None:
        raise ValueError("unforeseen")

    pool, done = ThreadPool(2), threading.Event()
    for _ in range(5):
        wait_until(lambda: pool.submit(fail), 10, "a thread is free")
    wait_until(lambda: pool.submit(done.set), 10, "a thread is free")
    assert done.wait(10)
    assert "unforeseen" in caplog.text
