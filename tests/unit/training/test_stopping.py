"""When a job ends: a signal at any moment, a time limit with what the end of the job takes kept free."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from image_classifier import PROGRAM
from image_classifier.training import stopping
from image_classifier.training.stopping import MARGIN_SECONDS, SLOWER, JobStopped, StopSignal, raise_if_set


def left(seconds: float) -> StopSignal:
    """Return a stop whose limit of 1,000 s is that many seconds away."""
    return StopSignal(1000, time.monotonic() - 1000 + seconds)


@pytest.fixture
def handler() -> Iterator[None]:
    """Put the handlers of the signals that stop a job back after the test."""
    before = {number: signal.getsignal(number) for number in stopping.REASONS}
    # pytest-timeout and a background run may have left others.
    for number in before:
        signal.signal(number, signal.SIG_DFL)
    yield
    for number, was in before.items():
        signal.signal(number, was)


def test_stop_without_a_limit_never_ends_by_itself() -> None:
    """No limit, a step of a day -> not set, no reason, time for everything."""
    stop = StopSignal()
    assert not stop.after_step(86_400)
    assert not stop.is_set()
    assert not stop.out_of_time()
    assert stop.reason == ""


def test_first_reason_counts() -> None:
    """Two reasons -> the first one is said."""
    stop = StopSignal()
    stop.set(stopping.ANOTHER_HOST)
    stop.set()
    assert stop.is_set()
    assert stop.reason == stopping.ANOTHER_HOST


def test_host_follows_another_unless_it_was_told_itself() -> None:
    """Another host was told -> set, with that reason; its own time limit before -> that one, and time is left."""
    other, own = StopSignal(), StopSignal(30.0, started=time.monotonic() - 15)
    assert own.after_step(20)
    for stop in (other, own):
        stop.set_by_another_host()
    assert (other.reason, other.out_of_time()) == (stopping.ANOTHER_HOST, True)
    assert own.reason.startswith("max_runtime=30")
    assert not own.out_of_time()


def test_signals_set_it_and_kill_nobody(handler: None) -> None:
    """SIGTERM, twice -> set with its reason, the process lives on and no time is left for what the model can lack."""
    stop = stopping.listen()
    assert not stop.is_set()
    os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGTERM)
    assert stop.is_set()
    assert stop.reason == stopping.SIGTERM
    assert stop.out_of_time()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_signals_of_a_terminal_stop_the_job_too(handler: None, number: signal.Signals) -> None:
    """Given Ctrl-C or a terminal that is closed -> set with a reason that names it, and the process lives on."""
    stop = stopping.listen()
    os.kill(os.getpid(), number)
    assert stop.is_set()
    assert number.name in stop.reason


def test_second_ctrl_c_does_not_wait_for_the_model(handler: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given SIGINT after SIGTERM -> it only asks; given SIGINT once more -> the process ends with the shell's code."""
    codes: list[int] = []
    monkeypatch.setattr(os, "_exit", codes.append)
    stopping.listen()
    os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGINT)
    assert codes == []
    os.kill(os.getpid(), signal.SIGINT)
    assert codes == [130]


def test_signal_that_is_ignored_on_purpose_stays_ignored(handler: None) -> None:
    """Given SIGHUP ignored, as under nohup -> it does not stop the job."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    stop = stopping.listen()
    os.kill(os.getpid(), signal.SIGHUP)
    assert not stop.is_set()


def wait_for_a_signal() -> None:
    """Send one to this process, and wait for longer than a test may take."""
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(60)


def test_signal_ends_what_only_waits(handler: None) -> None:
    """SIGTERM in a block that waits for others -> it ends at once with its words; the next block does not begin."""
    stop = stopping.listen()
    with pytest.raises(JobStopped, match="waiting for hosts"), stop.interruptible("waiting for hosts"):
        wait_for_a_signal()
    os.kill(os.getpid(), signal.SIGTERM)
    with pytest.raises(JobStopped, match="waiting again"), stop.interruptible("waiting again"):
        pytest.fail("It began.")


def test_signals_after_the_end_change_nothing() -> None:
    """SIGTERM while Python takes itself down after the job -> exit code 0 all the same."""
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
def test_step_must_fit_with_the_export_behind_it(spare: float, ends: bool) -> None:
    """Steps of 5 s and 2 s, an export of 4 s, the margin: a second too little -> ends; a second more -> goes on."""
    stop = left(5 + SLOWER * 4 + MARGIN_SECONDS + spare)
    stop.reserve_export_time(4)
    assert stop.after_step(5) == ends
    assert stop.after_step(2) == ends
    assert stop.reason.startswith("max_runtime=1000: ") == ends


@pytest.mark.parametrize(("short_steps", "ends"), [(18, True), (20, False)])
def test_long_step_is_forgotten_after_twenty_others(short_steps: int, ends: bool) -> None:
    """A first step of 500 s, which traces, then short ones, 100 s left -> it counts among the last twenty alone."""
    stop = left(600)
    assert not stop.after_step(500)
    assert not any(stop.after_step(1) for _ in range(short_steps))
    stop.set_time_limit(1000, time.monotonic() - 900)
    assert stop.after_step(1) == ends


def test_time_kept_for_the_export_is_used_for_the_rest() -> None:
    """The limit ended training, the export was fast -> time for the IR, until the margin begins."""
    stop = left(20)
    stop.reserve_export_time(60)
    assert stop.is_set()
    stop.reserve_export_time(0)
    assert not stop.out_of_time()
    stop.set_time_limit(1000, time.monotonic() - 1000 + MARGIN_SECONDS - 1)
    assert stop.out_of_time()


def test_limit_without_training_says_so_too() -> None:
    """The limit comes while the model is checked -> no time is left, and the reason names the limit."""
    stop = left(1)
    assert stop.out_of_time()
    assert stop.reason.startswith("max_runtime=1000: 999 s")


def test_phase_that_is_left_says_how_far_it_came() -> None:
    """A phase with nothing to keep, told to stop -> JobStopped with its words; not told -> goes on."""
    stop = StopSignal()
    raise_if_set(stop, "reading")
    stop.set()
    with pytest.raises(JobStopped, match=r"^features: 32/100$"):
        raise_if_set(stop, "features: 32/100")


def test_process_start_is_before_its_imports() -> None:
    """A process that sleeps before it imports anything of ours -> its start lies before the nap."""
    program = (
        "import time; begun = time.monotonic(); time.sleep(0.3)\n"
        "from image_classifier.training import stopping\n"
        "print(begun - stopping.process_start())\n"
    )
    command = [sys.executable, "-W", "ignore", "-c", program]
    done = subprocess.run(command, env={"PYTHONPATH": str(PROGRAM)}, check=True, capture_output=True, text=True)
    # The kernel counts in hundredths of a second.
    assert -0.02 <= float(done.stdout) < 5
