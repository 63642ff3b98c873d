"""Run a training job as a child process: its log on the terminal and in a file, Ctrl-C as a request to stop."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

from image_classifier.cli.terminal import consoles, typed_paths
from image_classifier.cli.terminal.training_view import TrainingView

STOPPING = "Stopping: the best model so far is being saved. Press Ctrl-C again to stop without saving."
STOPPED_IMMEDIATELY = "Stopped without saving."
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_END = 0
"""No signal has this number."""
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
        events, note_end = stack.enter_context(_signals_as_bytes())
        # A separate group: the terminal sends SIGINT to its foreground group, and this process decides about the job.
        process = stack.enter_context(
            subprocess.Popen(
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
        )
        view = stack.enter_context(TrainingView(consoles.output())) if interactive else None
        streams: list[tuple[IO[str] | None, Print]] = [
            (process.stdout, view.show if view else _print_line),
            (process.stderr, consoles.errors().out),
        ]
        readers = stack.enter_context(ThreadPoolExecutor(len(streams), "job-log"))
        reading = [readers.submit(_pass_on, lines, typed, copy, show) for lines, show in streams if lines]
        reading[0].add_done_callback(lambda _: note_end())
        _stop_on_request(process, events, view.announce if view else _print_line)
        for one in reading:
            one.result()
        return process.wait()


def _pass_on(lines: IO[str], typed: Mapping[str, str], copy: IO[str], show: Print) -> None:
    failure: Exception | None = None
    with lines:
        for line in lines:
            copy.write(line)
            copy.flush()
            # The terminal may be closed; the job still exits in order, and the file has its log.
            try:
                if failure is None:
                    show(typed_paths.restore(line.rstrip("\n"), typed))
            except OSError:
                pass
            except Exception as error:
                failure = error
    if failure:
        raise failure


def _print_line(line: str) -> None:
    print(line, flush=True)


@contextlib.contextmanager
def _signals_as_bytes() -> Iterator[tuple[int, Callable[[], None]]]:
    """Yield a descriptor that gets each stop signal's number as a byte, and a function that writes `_END` to it.

    Handlers do nothing themselves: one may run while the main thread holds a lock of the terminal that another thread
    waits for, so that printing in it ends in a deadlock.
    """
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    before = {number: signal.signal(number, lambda *_: None) for number in _STOP_SIGNALS}
    # Written by whichever thread the signal reaches.
    descriptor = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    try:
        yield reading, lambda: _write(writing, _END)
    finally:
        signal.set_wakeup_fd(descriptor)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(reading)
        os.close(writing)


def _write(descriptor: int, byte: int) -> None:
    os.write(descriptor, bytes([byte]))


def _stop_on_request(process: subprocess.Popen[str], events: int, announce: Print) -> None:
    """Pass stop signals on to the job until its log has ended."""
    requested = 0
    while (number := os.read(events, 1)[0]) != _END:
        if number not in _STOP_SIGNALS:
            continue
        requested += 1
        if number == signal.SIGHUP:
            _detach_from_terminal()
        if requested == 1:
            process.terminate()
        else:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        with contextlib.suppress(OSError):
            announce(STOPPING if requested == 1 else STOPPED_IMMEDIATELY)


def _detach_from_terminal() -> None:
    """Send all output to /dev/null: the terminal is closed, and every write to it would fail."""
    null = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(null, stream)
    os.close(null)
