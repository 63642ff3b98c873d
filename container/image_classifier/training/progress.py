"""The job's log, and progress of long phases: a line per tenth and no carriage returns, for CloudWatch."""

import time
from collections.abc import Callable

from image_classifier.contract.addresses import without_secrets
from image_classifier.contract.names import printable


def log(message: str) -> None:
    """Print one line of the job's log, flushed, with secrets removed from addresses."""
    print(without_secrets(printable(message)), flush=True)


def counter(phase: str, total: int) -> Callable[[int], None]:
    """Return a function that takes the number of images done and logs `phase: done/total` at every tenth."""
    started = time.monotonic()
    printed = 0

    def report(done: int) -> None:
        nonlocal printed
        tenth = 10 * done // max(total, 1)
        if tenth > printed:
            printed = tenth
            log(f"{phase}: {done}/{total} images, {time.monotonic() - started:.0f} s")

    return report
