"""Work in a process of its own: it needs no TensorFlow, can be interrupted at any moment, and may die alone."""

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from image_classifier import PROGRAM
from image_classifier.contract.errors import ExplainedError, last_line
from image_classifier.training.stopping import StopSignal

_REQUEST, _STDERR = "request.json", "stderr"
_PARENT = "parent_process"
"""In the request: which process the child belongs to."""
_POLL_SECONDS = 0.1
_GRACE_SECONDS = 3.0
"""Between the request to end and the kill."""
LONGEST_SECONDS = 3600.0
"""After which a child hangs: a thousand images through the largest network on one CPU take a third of it."""
_PR_SET_PDEATHSIG = 1
"""From linux/prctl.h."""


class ChildFailed(Exception):  # noqa: N818 - what it means for the job, the caller knows
    """The child gave up; the text is the reason that it gave, without a full stop."""


class ChildKilled(Exception):  # noqa: N818 - as above
    """A signal ended the child: it crashed, hung, or memory ran out; the text says which, without a full stop."""


class Interrupted(Exception):  # noqa: N818 - it is no error
    """The job has no time left for it; the text is the reason."""


class Child:
    """A module run as `python -m module`, what it is asked and answers in a folder; gone when the block is left."""

    def __init__(self, module: str, folder: Path, request: Mapping[str, Any]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._stderr = folder / _STDERR
        asked = {**request, _PARENT: os.getpid()}
        (folder / _REQUEST).write_text(json.dumps(asked), encoding="utf-8")
        with self._stderr.open("wb") as stderr:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, str(folder)],
                env={**os.environ, "PYTHONPATH": str(PROGRAM), "PYTHONWARNINGS": "ignore"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                # Ctrl-C in a terminal reaches the whole foreground group: what happens to the child the job decides.
                process_group=0,
            )

    def __enter__(self) -> "Child":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def end(self) -> None:
        """End the process if it still runs: ask it, and kill it when it does not follow."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(_GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def wait(self, stop: StopSignal) -> None:
        """Wait for its end; when it returns, the answer is there.

        Raises:
            ChildFailed: It gave up.
            ChildKilled: A signal ended it, or it took longer than `LONGEST_SECONDS`.
            Interrupted: The job has no time left, and the process is gone.
        """
        started = time.monotonic()
        while (code := self._process.poll()) is None:
            if stop.out_of_time():
                self.end()
                break
            if time.monotonic() - started > LONGEST_SECONDS:
                self.end()
                raise ChildKilled(f"its process did not come to an end within {LONGEST_SECONDS:g} s")
            try:
                self._process.wait(_POLL_SECONDS)
            except subprocess.TimeoutExpired:
                continue
        if code != 0 and stop.out_of_time():
            raise Interrupted(stop.reason)
        assert code is not None
        if code < 0:
            hint = ", as when memory runs out" if -code == signal.SIGKILL else ""
            raise ChildKilled(f"its process was ended by {signal.Signals(-code).name}{hint}")
        if code > 0:
            raise ChildFailed(last_line(self._stderr.read_text(encoding="utf-8", errors="replace")).rstrip("."))


def run(work: Callable[[Path, Mapping[str, Any]], None], folder: Path, *reasons: type[Exception]) -> int:
    """Do in the child what its folder asks for; return its exit code.

    `work` takes the folder, where it leaves its answer, and the request. Of an
    `ExplainedError` and of `reasons` only the text is passed on.
    """
    # A job that is killed leaves no process behind that writes into the folder of the next one.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    request = json.loads((folder / _REQUEST).read_text(encoding="utf-8"))
    if os.getppid() != request.pop(_PARENT):
        # It was killed before the kernel was told.
        return 1
    explained: tuple[type[Exception], ...] = (ExplainedError, *reasons)
    try:
        work(folder, request)
    except explained as error:
        print(" ".join(str(error).split()), file=sys.stderr)
        return 1
    return 0
