"""Run a training job as a child process: its log on the terminal and in a file, Ctrl-C as a request to stop."""

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import IO

from image_classifier.cli.terminal import consoles, typed_paths
from image_classifier.cli.terminal.training_view import TrainingView

STOPPING = "Stopping: the best model so far is being saved. Press Ctrl-C again to stop without saving."
STOPPED_IMMEDIATELY = "Stopped without saving."
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
Print = Callable[[str], None]


def run(command: Sequence[str], environment: Mapping[str, str], typed: Mapping[str, str], log: Path, lock: int) -> int:
    """Run the job until it ends and return its exit code.

    On a terminal a `TrainingView` shows the log; elsewhere its lines are passed on as they are, errors on standard
    error. The whole log is written into a file. The first SIGINT, SIGTERM or SIGHUP (the terminal was closed) makes the
    job stop and save; a second one kills it.

    Args:
        command: The command line of the job.
        environment: Its environment variables.
        typed: Paths of the job's tree and, for each, the path that the user typed, which messages show instead.
        log: The file that gets the whole log.
        lock: A descriptor that the job keeps open, so that a lock on its folder lasts as long as the job does.
    """
    interactive = consoles.is_interactive()
    with contextlib.ExitStack() as stack:
        copy = stack.enter_context(log.open("w", encoding="utf-8", errors="backslashreplace"))
        # A separate group: the terminal sends SIGINT to its foreground group, and this process decides about the job.
        process = subprocess.Popen(
            command,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if interactive else subprocess.PIPE,
            text=True,
            errors="replace",
            process_group=0,
            pass_fds=(lock,),
        )
        view = stack.enter_context(TrainingView(consoles.output())) if interactive else None
        announce: Print = view.announce if view else _print_line
        stack.enter_context(_stopping(process, announce))
        assert process.stdout is not None
        if process.stderr is not None:
            errors = threading.Thread(target=_pass_on, args=(process.stderr, typed, copy, consoles.errors().out))
            errors.start()
            stack.callback(errors.join)
        _pass_on(process.stdout, typed, copy, view.show if view else _print_line)
        return process.wait()


def _pass_on(lines: IO[str], typed: Mapping[str, str], copy: IO[str], show: Print) -> None:
    for line in lines:
        copy.write(line)
        copy.flush()
        # The terminal may be closed; the job still exits in order, and the file has its log.
        with contextlib.suppress(OSError):
            show(typed_paths.restore(line.rstrip("\n"), typed))


def _print_line(line: str) -> None:
    print(line, flush=True)


@contextlib.contextmanager
def _stopping(process: subprocess.Popen[str], announce: Print) -> Iterator[None]:
    requested = 0

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal requested
        requested += 1
        if number == signal.SIGHUP:
            _detach_from_terminal()
        with contextlib.suppress(OSError):
            announce(STOPPING if requested == 1 else STOPPED_IMMEDIATELY)
        if requested == 1:
            process.terminate()
        else:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    before = {number: signal.signal(number, stop) for number in _STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _detach_from_terminal() -> None:
    """Send all output to /dev/null: the terminal is closed, and every write to it would fail."""
    null = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(null, stream)
    os.close(null)
