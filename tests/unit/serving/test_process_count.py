"""Number of workers that fit into memory."""

import pytest

from image_classifier.contract.errors import PlatformError
from image_classifier.serving.processes.process_count import ProcessCount, workers_that_fit

MEGABYTE = 1 << 20


@pytest.mark.parametrize("configured", [1, 2, 5])
def test_all_workers_are_started_if_they_fit(configured: int) -> None:
    """Given memory for exactly the configured workers -> all of them, without a note."""
    assert workers_that_fit(configured, 100 * MEGABYTE, configured * 100 * MEGABYTE) == ProcessCount(configured)


@pytest.mark.parametrize(("available", "started"), [(399, 3), (199, 1)])
def test_fewer_workers_are_started_if_fewer_fit(available: int, started: int) -> None:
    """Given memory for fewer than the four configured workers -> as many as fit, and a note with both figures."""
    count = workers_that_fit(4, 100 * MEGABYTE, available * MEGABYTE)
    assert count.processes == started
    assert count.note == (
        "SAGEMAKER_MODEL_SERVER_WORKERS is 4, which needs about 100 MB of memory per worker; "
        f"{available} MB are available. Starting {started}."
    )


def test_too_little_memory_for_one_worker_is_an_error() -> None:
    """Given a megabyte less than one worker needs -> a PlatformError with both figures and the remedy."""
    with pytest.raises(PlatformError) as found:
        workers_that_fit(1, 100 * MEGABYTE, 99 * MEGABYTE)
    assert str(found.value) == (
        "Serving this model needs about 100 MB of memory, and 99 MB are available. Choose an instance type with more "
        "memory, or raise the container's limit."
    )
