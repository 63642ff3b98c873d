"""How many processes are started: as many as are wanted, if there is memory for them."""

from dataclasses import dataclass

from image_classifier.contract.errors import PlatformError
from image_classifier.contract.serving_variables import WORKERS
from image_classifier.inference.footprint import MEGABYTE


@dataclass(frozen=True)
class ProcessCount:
    """How many, and why fewer than wanted, one sentence."""

    processes: int
    remark: str | None = None


def fitting(wanted: int, process_bytes: int, available_bytes: int) -> ProcessCount:
    """Return how many of the `wanted` processes fit into memory.

    Args:
        wanted: From 1 on.
        process_bytes: What one takes.
        available_bytes: What all may take together.

    Raises:
        PlatformError: There is not enough for one.
    """
    need, have = process_bytes // MEGABYTE, available_bytes // MEGABYTE
    fit = available_bytes // process_bytes
    if fit < 1:
        raise PlatformError(
            f"Serving this model needs about {need} MB of memory, and {have} MB are free here. Choose an instance type "
            "with more memory, or raise the container's limit."
        )
    if fit < wanted:
        remark = (
            f"{WORKERS.name} is {wanted}, which needs about {need} MB of memory for each process, and {have} MB are "
            f"free here: {fit} {'is' if fit == 1 else 'are'} started."
        )
        return ProcessCount(fit, remark)
    return ProcessCount(wanted)
