"""Run the job of a folder tree and note when each of its phases begins and ends, by the lines of its log."""

import ctypes
import os
import re
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from image_classifier import PROGRAM
from image_classifier.contract.opt_ml import BASE_DIR_VARIABLE, OptMl
from image_classifier.runners import processes

STARTED, LOADED, PREPARED, HEAD, TRAINED = "started", "loaded", "prepared", "head", "trained"
CONVERTED, VERIFIED, REPORTED, ENDED = "converted", "verified", "reported", "ended"
TRAINING, VALIDATION = "Training images", "Validation images"
_LINES = {
    STARTED: re.compile(r"Devices: "),
    LOADED: re.compile(r"Backbone: .* (\d+) features, loaded"),
    PREPARED: re.compile(r"Features: computed by OpenVINO, prepared"),
    HEAD: re.compile(r"Recipe: cross-validation of the head"),
    TRAINED: re.compile(r"- Total training duration: "),
    CONVERTED: re.compile(r"OpenVINO IR: "),
    VERIFIED: re.compile(r"Verification: "),
    REPORTED: re.compile(r"Report: "),
}
"""What the log says at the moment, see `training.job`."""
_PROGRESS = re.compile(rf"({TRAINING}|{VALIDATION}): (\d+)/\d+ images")
_EPOCH = re.compile(r"\d+/\d+ - \d+s - ")
_POLL_SECONDS = 0.2
_PR_SET_PDEATHSIG = 1
"""From linux/prctl.h."""
_libc = ctypes.CDLL(None)


@dataclass(frozen=True)
class Watched:
    """What a job took. Times are seconds since its start."""

    marks: Mapping[str, float]
    """By the names above, for those that its log has; `ENDED` always."""
    progress: Mapping[str, list[tuple[float, int]]] = field(default_factory=dict)
    """Time and images done of each line of progress, by `TRAINING` and `VALIDATION`."""
    epochs: list[float] = field(default_factory=list)
    """When each epoch ended."""
    cpu: "Watched | None" = None
    """The same in CPU seconds of the job's processes: unlike the times, hardly more on a busy machine."""
    features: int = 0
    """Of an image, as the network computes them."""
    peak_bytes: int = 0
    """Resident memory of all its processes together, the largest of many samples."""
    code: int = 0
    """Its exit code."""
    failure: str = ""


def run(tree: OptMl, stop_after_epochs: int | None = None) -> Watched:
    """Run the job whose inputs lie in `tree` to its end; `stop_after_epochs` kills it then.

    The job is killed with this process, and when this call ends by an exception. To be called by the main thread;
    nothing else may run as a child of this process.
    """
    before = _cpu_of_children()
    # A job that is killed leaves its temporary files; they go with its tree.
    temporary = tree.base / "tmp"
    temporary.mkdir(exist_ok=True)
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, str(PROGRAM / "train")],
        env={**os.environ, BASE_DIR_VARIABLE: str(tree.base), "TMPDIR": str(temporary), "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
        preexec_fn=_end_with_parent,
    )
    try:
        return _follow(process, tree, started, before, stop_after_epochs)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _follow(
    process: subprocess.Popen[str], tree: OptMl, started: float, before: float, stop_after_epochs: int | None
) -> Watched:
    found, of_cpu = _Notes(lambda: time.monotonic() - started), _Notes(lambda: _cpu_seconds(process.pid))
    memory = _PeakMemory(process.pid)
    assert process.stdout
    with process.stdout:
        for line in process.stdout:
            found.take(line)
            of_cpu.take(line)
            if stop_after_epochs and len(found.epochs) >= stop_after_epochs:
                os.killpg(process.pid, signal.SIGKILL)
                break
    code = process.wait()
    ended = time.monotonic() - started
    failure = _failure(tree)
    return Watched(
        {**found.marks, ENDED: ended},
        found.progress,
        found.epochs,
        Watched({**of_cpu.marks, ENDED: _cpu_of_children() - before}, of_cpu.progress, of_cpu.epochs),
        found.features,
        memory.stop(),
        code,
        failure,
    )


def _end_with_parent() -> None:
    """Let the kernel kill this process when its parent exits, however it does; its own children follow it."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class _Notes:
    def __init__(self, clock: Callable[[], float]):
        self._clock = clock
        self.marks: dict[str, float] = {}
        self.progress: dict[str, list[tuple[float, int]]] = {}
        self.epochs: list[float] = []
        self.features = 0

    def take(self, line: str) -> None:
        now = self._clock()
        for name, pattern in _LINES.items():
            if name not in self.marks and (found := pattern.match(line)):
                self.marks[name] = now
                self.features = int(found[1]) if name == LOADED else self.features
        if progress := _PROGRESS.match(line):
            self.progress.setdefault(progress[1], []).append((now, int(progress[2])))
        elif _EPOCH.match(line):
            self.epochs.append(now)


class _PeakMemory:
    """Samples the memory of a session of processes in a thread until it is stopped."""

    def __init__(self, pid: int):
        self._record = processes.record(pid)
        self._peak, self._over = 0, threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        while not self._over.wait(_POLL_SECONDS):
            self._peak = max(self._peak, processes.memory_bytes(processes.session(self._record)))

    def stop(self) -> int:
        self._over.set()
        self._thread.join()
        return self._peak


def _cpu_seconds(pid: int) -> float:
    """Return the CPU seconds of a process and of those of its children that have ended."""
    try:
        # Fields 14 to 17, counted from 1; the name, field 2, may hold spaces: proc_pid_stat(5).
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _failure(tree: OptMl) -> str:
    path = Path(tree.failure_file)
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
