"""Graceful stop: signals at any moment, and the time limit with a reserve for the finalisation."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from image_classifier import PROGRAM
from image_classifier.training import stopping
from image_classifier.training.stopping import (
    EXPORT_SAFETY_FACTOR,
    MARGIN_SECONDS,
    JobStopped,
    StopSignal,
    raise_if_set,
)


def left(seconds: float) -> StopSignal:
    """Return a stop signal with that many of its 1,000 s left."""
    return StopSignal(1000, time.monotonic() - 1000 + seconds)


@pytest.fixture
def handler() -> Iterator[None]:
    """Restore the signal handlers after the test."""
    before = {number: signal.getsignal(number) for number in stopping.REASONS}
    # pytest-timeout and a run in the background may have set others.
    for number in before:
        signal.signal(number, signal.SIG_DFL)
    yield
    for number, was in before.items():
        signal.signal(number, was)


def test_without_a_limit_there_is_always_time() -> None:
    """No limit, a step of a day -> not set, no reason, time for everything."""
    stop = StopSignal()
    assert not stop.after_step(86_400)
    assert not stop.is_set()
    assert not stop.out_of_time()
    assert stop.reason == ""


def test_first_reason_counts() -> None:
    """Two reasons -> the first one counts."""
    stop = StopSignal()
    stop.set(stopping.ANOTHER_HOST)
    stop.set()
    assert stop.is_set()
    assert stop.reason == stopping.ANOTHER_HOST


def test_stop_of_another_host_keeps_an_own_reason() -> None:
    """Another host was stopped -> set, with that reason; an own time limit before -> that one, and time is left."""
    other, own = StopSignal(), StopSignal(30.0, started=time.monotonic() - 15)
    assert own.after_step(20)
    for stop in (other, own):
        stop.set_by_another_host()
    assert (other.reason, other.out_of_time()) == (stopping.ANOTHER_HOST, True)
    assert own.reason.startswith("max_runtime=30")
    assert not own.out_of_time()


def test_sigterm_is_handled(handler: None) -> None:
    """SIGTERM, twice -> set with its reason, the process keeps running, and no time is left for optional work."""
    stop = stopping.listen()
    assert not stop.is_set()
    os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGTERM)
    assert stop.is_set()
    assert stop.reason == stopping.SIGTERM
    assert stop.out_of_time()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_signals_of_a_terminal_stop_the_job_too(handler: None, number: signal.Signals) -> None:
    """Given Ctrl-C or a closed terminal -> set with a reason that names it, and the process keeps running."""
    stop = stopping.listen()
    os.kill(os.getpid(), number)
    assert stop.is_set()
    assert number.name in stop.reason


def test_second_ctrl_c_does_not_wait_for_the_model(handler: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given SIGINT after SIGTERM -> a graceful stop; given a second SIGINT -> the process exits with code 130."""
    codes: list[int] = []
    monkeypatch.setattr(os, "_exit", codes.append)
    stopping.listen()
    os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGINT)
    assert codes == []
    os.kill(os.getpid(), signal.SIGINT)
    assert codes == [130]


def test_ignored_signal_stays_ignored(handler: None) -> None:
    """Given SIGHUP ignored, as under nohup -> it does not stop the job."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    stop = stopping.listen()
    os.kill(os.getpid(), signal.SIGHUP)
    assert not stop.is_set()


def wait_for_a_signal() -> None:
    """Send SIGTERM to this process, and wait for longer than a test may take."""
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(60)


def test_signal_interrupts_an_interruptible_block(handler: None) -> None:
    """SIGTERM in a block that only waits -> JobStopped at once with its text; the next block does not start."""
    stop = stopping.listen()
    with pytest.raises(JobStopped, match="waiting for hosts"), stop.interruptible("waiting for hosts"):
        wait_for_a_signal()
    os.kill(os.getpid(), signal.SIGTERM)
    with pytest.raises(JobStopped, match="waiting again"), stop.interruptible("waiting again"):
        pytest.fail("It started.")


def test_signals_after_the_end_change_nothing() -> None:
    """SIGTERM while the interpreter shuts down after the job -> exit code 0."""
    program = (
        "import atexit, os, signal, sys, threading\n"
        "from image_classifier.training import stopping\n"
        "class Late:\n"
        "    def __del__(self, kill=os.kill, me=os.getpid(), number=signal.SIGTERM): kill(me, number)\n"
        "stopping.listen(); stopping.ignore_signals(); sys.late = Late(); sys.exit(0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], env={"PYTHONPATH": str(PROGRAM)}, check=False
    )
    assert done.returncode == 0


@pytest.mark.parametrize(("spare", "ends"), [(-1.0, True), (1.0, False)])
def test_step_must_leave_time_for_the_export(spare: float, ends: bool) -> None:
    """Steps of 5 s and 2 s, an export of 4 s, the margin: a second short -> stops; a second more -> continues."""
    stop = left(5 + EXPORT_SAFETY_FACTOR * 4 + MARGIN_SECONDS + spare)
    stop.reserve_export_time(4)
    assert stop.after_step(5) == ends
    assert stop.after_step(2) == ends
    assert stop.reason.startswith("max_runtime=1000: ") == ends


@pytest.mark.parametrize(("short_steps", "ends"), [(18, True), (20, False)])
def test_long_step_counts_among_the_last_twenty(short_steps: int, ends: bool) -> None:
    """A first step of 500 s, which traces, then short ones, 100 s left -> counts only among the last twenty."""
    stop = left(600)
    assert not stop.after_step(500)
    assert not any(stop.after_step(1) for _ in range(short_steps))
    stop.set_time_limit(1000, time.monotonic() - 900)
    assert stop.after_step(1) == ends


def test_unused_export_time_is_available_for_optional_work() -> None:
    """The limit stopped training, the export was fast -> time for the IR, until the margin begins."""
    stop = left(20)
    stop.reserve_export_time(60)
    assert stop.is_set()
    stop.reserve_export_time(0)
    assert not stop.out_of_time()
    stop.set_time_limit(1000, time.monotonic() - 1000 + MARGIN_SECONDS - 1)
    assert stop.out_of_time()


def test_limit_reached_after_training_is_the_reason() -> None:
    """The limit is reached during the verification -> no time is left, and the reason names the limit."""
    stop = left(1)
    assert stop.out_of_time()
    assert stop.reason.startswith("max_runtime=1000: 999 s")


def test_interrupted_phase_reports_its_progress() -> None:
    """A phase with nothing to save: stop requested -> JobStopped with its text; otherwise it continues."""
    stop = StopSignal()
    raise_if_set(stop, "reading")
    stop.set()
    with pytest.raises(JobStopped, match=r"^features: 32/100$"):
        raise_if_set(stop, "features: 32/100")


def test_process_start_is_before_its_imports() -> None:
    """A process that sleeps before its imports -> its start lies before the sleep."""
    program = (
        "import time; begun = time.monotonic(); time.sleep(0.3)\n"
        "from image_classifier.training import stopping\n"
        "print(begun - stopping.process_start())\n"
    )
    command = [sys.executable, "-W", "ignore", "-c", program]
    done = subprocess.run(command, env={"PYTHONPATH": str(PROGRAM)}, check=True, capture_output=True, text=True)
    # The kernel counts in hundredths of a second.
    assert -0.02 <= float(done.stdout) < 5
