"""Crashed workers: restarts with a growing delay, within a budget."""

import pytest

from image_classifier.serving.connections.gunicorn_internals import HaltServer
from image_classifier.serving.processes.supervision import CrashBudget, retrying


def test_delay_grows_with_each_crash() -> None:
    """Given zero to six crashes within a minute -> delays of 0, 0, 1, 2, 4, 8 and again 8 seconds."""
    budget, delays = CrashBudget(10, clock=lambda: 0.0), []
    for process in range(7):
        delays.append(budget.delay())
        budget.record(process)
    assert delays == [0, 0, 1, 2, 4, 8, 8]


def test_exceeded_budget_stops_the_server(capsys: pytest.CaptureFixture[str]) -> None:
    """Given three crashes where two are tolerated -> exit code 1 and one line with the number and the setting."""
    budget = CrashBudget(2, clock=lambda: 0.0)
    budget.record(11)
    budget.record(12)
    assert capsys.readouterr().err.endswith("Worker 12 exited unexpectedly; restarting it.\n")
    with pytest.raises(HaltServer) as found:
        budget.record(13)
    assert found.value.exit_status == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("PlatformError: 3 workers exited unexpectedly within a minute; SERVE_MAX_WORKER_CR")


def test_crashes_expire_after_a_minute() -> None:
    """Given a crash every 61 seconds where one a minute is tolerated -> the server continues without a delay."""
    now = [0.0]
    budget = CrashBudget(1, clock=lambda: now[0])
    for process in range(5):
        budget.record(process)
        now[0] += 61
        assert budget.delay() == 0


def test_failed_fork_is_retried(capsys: pytest.CaptureFixture[str]) -> None:
    """Given a fork that fails once -> one line and no exception; the next attempt returns the worker."""
    attempts = []

    def spawn() -> int:
        attempts.append(1)
        if len(attempts) == 1:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        return 17

    spawn_worker = retrying(spawn)
    assert spawn_worker() is None
    assert "cannot be started: [Errno 11]" in capsys.readouterr().err
    assert spawn_worker() == 17
