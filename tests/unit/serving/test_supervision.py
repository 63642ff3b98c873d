"""Serving processes that die."""

import pytest
from gunicorn.errors import HaltServer

from image_classifier.serving.processes.supervision import CrashBudget, persistent


def test_later_after_each_death() -> None:
    """No death, one, and more within a minute -> no pause, none, then 1, 2, 4, 8 and again 8 seconds."""
    deaths, pauses = CrashBudget(10, clock=lambda: 0.0), []
    for process in range(7):
        pauses.append(deaths.pause())
        deaths.note(process)
    assert pauses == [0, 0, 1, 2, 4, 8, 8]


def test_too_many_within_a_minute_end_the_server(capsys: pytest.CaptureFixture[str]) -> None:
    """Three deaths where two are borne -> the server ends with 1 and one line that names number and setting."""
    deaths = CrashBudget(2, clock=lambda: 0.0)
    deaths.note(11)
    deaths.note(12)
    capsys.readouterr()
    with pytest.raises(HaltServer) as found:
        deaths.note(13)
    assert found.value.exit_status == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("PlatformError: 3 serving processes died within a minute, more than the 2 that SERVE_MAX_")


def test_deaths_are_forgotten_after_a_minute() -> None:
    """A death every 61 seconds where one a minute is borne -> for ever, and without a pause."""
    now = [0.0]
    deaths = CrashBudget(1, clock=lambda: now[0])
    for process in range(5):
        deaths.note(process)
        now[0] += 61
        assert deaths.pause() == 0


def test_process_that_cannot_be_started_does_not_end_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    """A system that starts no process now, and one a second later -> a line about it, no error; then the process."""
    attempts = []

    def spawn() -> int:
        attempts.append(1)
        if len(attempts) == 1:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        return 17

    spawn_worker = persistent(spawn)
    assert spawn_worker() is None
    assert "cannot be started: [Errno 11]" in capsys.readouterr().err
    assert spawn_worker() == 17
