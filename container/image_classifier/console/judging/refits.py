"""The console's side of `refit_child`: one process for all results, and the last refit of each in the cache."""

import contextlib
import json
import os
import select
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from image_classifier import PROGRAM, durable_files
from image_classifier.console.judging.corrections import Corrections, Refit
from image_classifier.console.judging.results import Result
from image_classifier.contract.errors import PlatformError, UserError
from image_classifier.evaluation import typed_json

TIMEOUT = 300.0
"""Seconds that a refit may take: many times that of 50,000 images."""
_MODULE = "image_classifier.console.judging.refit_child"
_FOLDER = "refits"


@dataclass(frozen=True)
class Measured:
    """The last refit of a result."""

    stamp: str
    """Of the result."""
    revision: int
    """Of the labels."""
    refit: Refit


class Refitter:
    """Starts the child when it is needed. One refit at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._is_closed = False

    def prepare(self, result: Result) -> threading.Thread:
        """Let the child read the features and fit the head on the labels as they were; `measure` waits for it.

        Returns the thread that waits for the child. A failure shows when something is measured.
        """

        def ask() -> None:
            with self._lock, contextlib.suppress(PlatformError):
                self._ask(json.dumps(_request(result)).encode() + b"\n", TIMEOUT)

        thread = threading.Thread(target=ask, name="refit-prepare", daemon=True)
        thread.start()
        return thread

    def measure(self, result: Result, corrections: Corrections, seconds: float = TIMEOUT) -> Refit:
        """Return what the corrections change.

        Raises:
            UserError: The result has no features, or nothing is left to fit on.
            PlatformError: The child was killed or took too long.
        """
        request = {**_request(result), "corrections": typed_json.pack(corrections, {})}
        with self._lock:
            answer = self._ask(json.dumps(request).encode() + b"\n", seconds)
        if "error" in answer:
            raise UserError(answer["error"])
        return typed_json.unpack(Refit, answer["refit"], {})

    @property
    def pid(self) -> int | None:
        """The child's; None while none runs."""
        return self._process.pid if self._process else None

    def close(self) -> None:
        """Kill the child, also in the middle of a request; no other one is started."""
        self._is_closed = True
        if (process := self._process) is not None:
            process.kill()
        with self._lock:
            self._end()

    def _ask(self, request: bytes, seconds: float) -> Mapping[str, Any]:
        line = b""
        # A child that was idle for long may have ended between two requests: the second one is new.
        for _ in range(2):
            if self._is_closed:
                break
            process = self._started()
            assert process.stdin is not None
            assert process.stdout is not None
            try:
                process.stdin.write(request)
                process.stdin.flush()
            except BrokenPipeError:
                self._end()
                continue
            if not select.select([process.stdout], [], [], seconds)[0]:
                self._end()
                raise PlatformError(f"Fitting the head took more than {seconds:.0f} s and was stopped. Train again.")
            line = process.stdout.readline()
            if line:
                break
            self._end()
        if not line:
            raise PlatformError(
                "The process that fits the head ended unexpectedly, probably for lack of memory. Close other programs "
                "and try again, or train again."
            )
        found: Mapping[str, Any] = json.loads(line)
        return found

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self._end()
            self._process = subprocess.Popen(
                [sys.executable, "-m", _MODULE],
                cwd=PROGRAM,
                env={**os.environ, "PYTHONPATH": str(PROGRAM)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
        return self._process

    def _end(self) -> None:
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        self._process = None


def _request(result: Result) -> dict[str, Any]:
    return {"file": str(result.file), "stamp": result.stamp}


def save(cache: Path, job: str, measured: Measured) -> None:
    """Keep the last refit of a job; the cache may be deleted.

    Raises:
        OSError: The disk is full or not writable.
    """
    folder = cache / _FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    durable_files.write_json(folder / f"{job}.json", typed_json.pack(measured, {}))


def load(cache: Path, result: Result) -> Measured | None:
    """Return the last refit of a result; None if it has none, or was replaced by another job of this name."""
    try:
        found = json.loads((cache / _FOLDER / f"{result.job}.json").read_bytes())
        measured: Measured = typed_json.unpack(Measured, found, {})
    except (OSError, ValueError):
        return None
    return measured if measured.stamp == result.stamp else None
