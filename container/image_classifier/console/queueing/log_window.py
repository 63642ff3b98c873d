"""A part of a job's log, such as a page shows: the end, or the part before another one."""

from dataclasses import dataclass

from image_classifier.console.queueing.job import Job
from image_classifier.contract.errors import ExplainedError
from image_classifier.runners.job import Runner

BYTES = 16 << 10
"""Of a part, about 200 lines."""


@dataclass(frozen=True)
class LogWindow:
    """Whole lines of a log."""

    text: str
    before: int | None
    """The offset at which the part before this one ends; None: this is the first one."""
    is_end: bool
    """Whether these are the last lines."""


def read(runner: Runner, job: Job, end: int | None = None) -> LogWindow:
    """Return the part of the log that ends at the byte `end`, or its last one."""
    try:
        if end is None:
            part = runner.log(job.folder, -BYTES)
            start = max(0, part.offset - len(part.text.encode()))
        else:
            start = max(0, end - BYTES)
            part = runner.log(job.folder, start)
    except (ExplainedError, OSError):
        return LogWindow("", None, True)
    text = part.text
    if end is not None:
        text = text.encode()[: end - start].decode(errors="replace")
        if start > 0 and "\n" in text:
            # It begins within a line.
            cut, _, text = text.partition("\n")
            start += len(cut.encode()) + 1
    return LogWindow(text, start if start > 0 else None, end is None)
