"""A growing log, read further from where the last reading ended; what was found so far is kept beside it.

The file `log-progress.json` is a cache of that: it may be removed at any time.
"""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

from image_classifier import durable_files
from image_classifier.contract import contradictions
from image_classifier.runners import job_log
from image_classifier.runners.job import EpochMetrics, JobStatus, LogPart
from image_classifier.runners.job_log import Epoch, Problem, Setting
from image_classifier.runners.job_phase import FIRST, JobPhase

FILE = "log-progress.json"
LONGEST_READ = 8 * 2**20
"""Bytes that `follow` reads at most; the next call reads the rest."""
_STORED_EVERY = 2**18
_WARNINGS = 20
_PART = 2**16
_RECENT = 10
"""Epochs whose duration is the estimate for the next ones."""
_WARNING = "WARNING"


@dataclass
class LogProgress:
    """What the first `offset` bytes of a log have said."""

    offset: int = 0
    phase: JobPhase = field(default_factory=JobPhase)
    epochs: list[EpochMetrics] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    seconds: list[int] = field(default_factory=list)
    """Durations of the last epochs."""
    rate: float | None = None
    """Images per second in this phase."""
    last_line: str = ""

    def feed(self, line: str) -> None:
        """Take over a line."""
        event = job_log.read(line)
        if isinstance(event, Setting) and self.phase.name != FIRST:
            # The job begins again, in the same log.
            self.phase, self.seconds, self.rate = JobPhase(), [], None
        self.phase.on_event(event)
        match event:
            case job_log.Progress(done=done, seconds=seconds):
                self.rate = done / seconds if seconds else None
            case Epoch(metrics=metrics, seconds=seconds):
                number = self._number()
                # A resumed job trains the epochs after its checkpoint once more.
                while self.epochs and self.epochs[-1].number >= number:
                    self.epochs.pop()
                self.epochs.append(EpochMetrics(number, metrics))
                self.seconds = [*self.seconds, seconds][-_RECENT:]
            case Problem(text=text) if text.startswith(_WARNING):
                self.warnings = [*self.warnings, text][-_WARNINGS:]
        if line.strip():
            self.last_line = line.strip()

    def _number(self) -> int:
        # A recipe measures its head before the epochs of its fine-tuning.
        return self.phase.epoch - (self.phase.recipe == contradictions.AUTO)

    def units_per_second(self) -> float | None:
        """Return images or epochs per second, whichever the phase counts; None: not known yet."""
        if self.phase.total is None:
            return None
        if not self.phase.counts_epochs:
            return self.rate
        total = sum(self.seconds)
        # The log has whole seconds.
        return len(self.seconds) / total if total >= len(self.seconds) > 0 else None

    def eta_seconds(self) -> float | None:
        """Return the seconds until the phase is over; None: not known."""
        rate = self.units_per_second()
        if not rate or self.phase.total is None:
            return None
        return (self.phase.total - self.phase.done) / rate

    def with_history(self, status: JobStatus) -> JobStatus:
        """Return a status with the epochs and the warnings of the log."""
        return replace(
            status,
            epochs=tuple(self.epochs),
            planned_epochs=self.phase.planned_epochs,
            warnings=tuple(self.warnings),
        )

    def with_phase(self, status: JobStatus) -> JobStatus:
        """Return a status with the phase that the log has reached, and how far that is."""
        return replace(
            status,
            phase=self.phase.name,
            done=self.phase.done,
            total=self.phase.total,
            unit="epochs" if self.phase.counts_epochs else "images",
            rate=self.units_per_second(),
            eta_seconds=self.eta_seconds(),
        )


def follow(log: Path, cache: Path) -> LogProgress:
    """Return what the log says, of which only what is new since the last call is read, at most `LONGEST_READ` bytes.

    A log that has become shorter is another one, and read from its beginning. A log that does not exist is empty.

    Raises:
        OSError: The log cannot be read.
    """
    found = _read_cache(cache)
    try:
        file = log.open("rb")
    except FileNotFoundError:
        return LogProgress()
    with file:
        if file.seek(0, 2) < found.offset:
            found = LogProgress()
        before = found.offset
        file.seek(before)
        for line in _lines(file, LONGEST_READ):
            found.offset += len(line)
            found.feed(line.decode("utf-8", errors="replace").rstrip("\r\n"))
    if found.offset - before >= _STORED_EVERY:
        # A folder that cannot be written to is read again, no more.
        with contextlib.suppress(OSError):
            _write_cache(cache, found)
    return found


def part(log: Path, offset: int) -> LogPart:
    """Return the whole lines from a byte offset on, 64 KiB at most; a negative offset counts from the end.

    A line that is longer than that is cut into parts.

    Raises:
        OSError: The log cannot be read; not if it does not exist.
    """
    try:
        file = log.open("rb")
    except FileNotFoundError:
        return LogPart("", 0)
    with file:
        size = file.seek(0, 2)
        begin = max(size + offset, 0) if offset < 0 else min(offset, size)
        file.seek(begin)
        if offset < 0 < begin:
            begin += len(file.readline())
        content = file.read(_PART)
    whole = content.rfind(b"\n") + 1 or (len(content) if len(content) == _PART else 0)
    return LogPart(content[:whole].decode("utf-8", errors="replace"), begin + whole)


def _lines(file: BinaryIO, limit: int) -> Iterator[bytes]:
    """Yield whole lines; the job may be writing the last one."""
    read = 0
    while read < limit and (line := file.readline(limit)):
        if not line.endswith(b"\n") and len(line) < limit:
            return
        read += len(line)
        yield line


def _read_cache(path: Path) -> LogProgress:
    try:
        found: dict[str, Any] = json.loads(path.read_bytes())
        epochs = [EpochMetrics(**epoch) for epoch in found.pop("epochs")]
        return LogProgress(phase=JobPhase(**found.pop("phase")), epochs=epochs, **found)
    except (OSError, ValueError, TypeError, KeyError):
        return LogProgress()


def _write_cache(path: Path, found: LogProgress) -> None:
    # Several processes may write it at the same time.
    with durable_files.replacing(path) as partial:
        partial.write_text(json.dumps(asdict(found)), encoding="utf-8")
