"""Questions about the evidence of jobs, answered by warm child processes; see `evidence_process`."""

import base64
import json
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from image_classifier import PROGRAM
from image_classifier.contract.errors import PlatformError, UserError

_MODULE = "image_classifier.console.trying.evidence_process"
_MOST_PROCESSES = 2
_ANSWER_SECONDS = 30.0
_BLOCK = 1 << 16


class Evidence:
    """The child processes: at most two; the one that was asked longest ago ends first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._processes: dict[Path, _Child] = {}

    def ask(self, job: Path, what: str, **values: Any) -> Any:
        """Return the answer to a question about the evidence in a job's folder.

        Raises:
            UserError: The evidence has no answer.
            PlatformError: The process gave none in time.
        """
        return self._child(job).ask({"ask": what, **values})

    def warm(self, job: Path) -> None:
        """Start the process for a job, so that its first question is answered sooner."""
        self._child(job)

    def thumbnail(self, job: Path, path: Path) -> bytes:
        """Return an image as a small WebP; raises as `ask`."""
        return base64.b64decode(self.ask(job, "thumbnail", path=str(path)))

    def process_ids(self) -> list[int]:
        """Return the ids of the running processes."""
        with self._lock:
            return [child.process_id for child in self._processes.values() if not child.has_ended]

    def close(self) -> None:
        """End all processes."""
        with self._lock:
            for child in self._processes.values():
                child.end()
            self._processes.clear()

    def _child(self, job: Path) -> "_Child":
        with self._lock:
            for path in [path for path, child in self._processes.items() if child.has_ended]:
                self._processes.pop(path).end()
            if job not in self._processes:
                while len(self._processes) >= _MOST_PROCESSES:
                    oldest = min(self._processes, key=lambda path: self._processes[path].asked)
                    self._processes.pop(oldest).end()
                self._processes[job] = _Child(job)
            return self._processes[job]


class _Child:
    def __init__(self, job: Path) -> None:
        self.asked = time.monotonic()
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", _MODULE, str(job)],
            cwd=PROGRAM,
            # One thread: the matrix product of 52,000 images takes 30 ms, and a training job may be running.
            env={**os.environ, "PYTHONPATH": str(PROGRAM), "OPENBLAS_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    @property
    def process_id(self) -> int:
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def ask(self, question: Mapping[str, Any]) -> Any:
        with self._lock:
            self.asked = time.monotonic()
            try:
                found = json.loads(self._exchange(json.dumps(question).encode() + b"\n"))
            except (OSError, ValueError) as error:
                self.end()
                raise PlatformError(f"The evidence of this job cannot be asked: {error}. Try again.") from error
        if "problem" in found:
            raise UserError(str(found["problem"]))
        return found["answer"]

    def _exchange(self, line: bytes) -> bytes:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(line)
        stdin.flush()
        received, deadline = b"", time.monotonic() + _ANSWER_SECONDS
        while not received.endswith(b"\n"):
            ready, _, _ = select.select([stdout], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise OSError(f"no answer for {_ANSWER_SECONDS:.0f} s")
            block = os.read(stdout.fileno(), _BLOCK)
            if not block:
                raise OSError("its process has ended")
            received += block
        return received

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
