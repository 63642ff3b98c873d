"""Run a module as a child process: without TensorFlow, interruptible, and isolated from crashes."""

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
"""Key in the request: the process id of the job."""
_POLL_SECONDS = 0.1
_GRACE_SECONDS = 3.0
"""Between SIGTERM and SIGKILL."""
LONGEST_SECONDS = 3600.0
"""Timeout of a child: a thousand images through the largest network on one CPU take a third of it."""
_PR_SET_PDEATHSIG = 1
"""From linux/prctl.h."""


class ChildFailed(Exception):  # noqa: N818 - the caller decides what it means for the job
    """The child exited with an error; the text is its reason, without a full stop."""


class ChildKilled(Exception):  # noqa: N818 - as above
    """The child crashed, hung, or ran out of memory; the text says which, without a full stop."""


class Interrupted(Exception):  # noqa: N818 - not an error
    """The job has no time left for the child; the text is the reason."""


class Child:
    """A module run as `python -m module`, with request and result in a folder; ended when the block is left."""

    def __init__(self, module: str, folder: Path, request: Mapping[str, Any]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._stderr = folder / _STDERR
        content = json.dumps({**request, _PARENT: os.getpid()})
        (folder / _REQUEST).write_text(content, encoding="utf-8")
        with self._stderr.open("wb") as stderr:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, str(folder)],
                env={**os.environ, "PYTHONPATH": str(PROGRAM), "PYTHONWARNINGS": "ignore"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                # Ctrl-C in a terminal reaches the whole foreground process group; the job itself ends the child.
                process_group=0,
            )

    def __enter__(self) -> "Child":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def end(self) -> None:
        """End the process if it still runs: by SIGTERM, and by SIGKILL after a grace period."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(_GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def wait(self, stop: StopSignal, check: Callable[[], None] = lambda: None) -> None:
        """Wait for the process to exit successfully, with its result in the folder.

        `check` is called while it runs; what it raises leaves the process running.

        Raises:
            ChildFailed: It exited with an error.
            ChildKilled: A signal killed it, or it took longer than `LONGEST_SECONDS`.
            Interrupted: The job has no time left; the process was ended.
        """
        started = time.monotonic()
        while (code := self._process.poll()) is None:
            if stop.out_of_time():
                self.end()
                break
            if time.monotonic() - started > LONGEST_SECONDS:
                self.end()
                raise ChildKilled(f"its process did not finish within {LONGEST_SECONDS:g} s")
            check()
            try:
                self._process.wait(_POLL_SECONDS)
            except subprocess.TimeoutExpired:
                continue
        if code != 0 and stop.out_of_time():
            raise Interrupted(stop.reason)
        assert code is not None
        if code < 0:
            hint = ", probably for lack of memory" if -code == signal.SIGKILL else ""
            raise ChildKilled(f"its process was killed by {signal.Signals(-code).name}{hint}")
        if code > 0:
            raise ChildFailed(last_line(self._stderr.read_text(encoding="utf-8", errors="replace")).rstrip("."))


def run(work: Callable[[Path, Mapping[str, Any]], None], folder: Path, *reasons: type[Exception]) -> int:
    """Run `work` in the child process; return its exit code.

    `work` takes the folder, where it writes its result, and the request. Of an `ExplainedError` and of `reasons` only
    the text is passed on.
    """
    # When the job is killed, no child may keep writing into the folder of the next job.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    request = json.loads((folder / _REQUEST).read_text(encoding="utf-8"))
    if os.getppid() != request.pop(_PARENT):
        # The job was killed before prctl took effect.
        return 1
    explained: tuple[type[Exception], ...] = (ExplainedError, *reasons)
    try:
        work(folder, request)
    except explained as error:
        print(" ".join(str(error).split()), file=sys.stderr)
        return 1
    return 0
