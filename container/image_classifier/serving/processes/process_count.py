"""Number of workers: as configured, or as many as fit into memory."""

from dataclasses import dataclass

from image_classifier.contract.errors import PlatformError
from image_classifier.contract.serving_variables import WORKERS
from image_classifier.inference.footprint import MEGABYTE


@dataclass(frozen=True)
class ProcessCount:
    """The number of workers to start; `note` explains in one sentence why it is smaller than configured."""

    processes: int
    note: str | None = None


def workers_that_fit(configured: int, process_bytes: int, available_bytes: int) -> ProcessCount:
    """Return how many of the `configured` workers fit into memory.

    Args:
        configured: 1 or more.
        process_bytes: Memory of one worker.
        available_bytes: Memory for all of them.

    Raises:
        PlatformError: Not even one fits.
    """
    needed, available = process_bytes // MEGABYTE, available_bytes // MEGABYTE
    fit = available_bytes // process_bytes
    if fit < 1:
        raise PlatformError(
            f"Serving this model needs about {needed} MB of memory, and {available} MB are available. Choose an "
            "instance type with more memory, or raise the container's limit."
        )
    if fit < configured:
        note = (
            f"{WORKERS.name} is {configured}, which needs about {needed} MB of memory per worker; {available} MB are "
            f"available. Starting {fit}."
        )
        return ProcessCount(fit, note)
    return ProcessCount(configured)
