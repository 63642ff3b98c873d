"""Progress of long phases in the job's log: a line per tenth and no carriage returns, for CloudWatch."""

import time
from collections.abc import Callable

from image_classifier.contract.job_log import log, log_metrics

__all__ = ["counter", "log", "log_metrics"]


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
