import pytest

from image_classifier.contract.errors import PlatformError
from image_classifier.serving.processes.process_count import ProcessCount, fitting

MEGABYTE = 1 << 20


@pytest.mark.parametrize("wanted", [1, 2, 5])
def test_all_are_started_where_they_fit(wanted: int) -> None:
    """Given memory for exactly as many as wanted -> all of them, without a word."""
    assert fitting(wanted, 100 * MEGABYTE, wanted * 100 * MEGABYTE) == ProcessCount(wanted)


@pytest.mark.parametrize(("free", "started"), [(399, "3 are"), (199, "1 is")])
def test_fewer_are_started_where_fewer_fit(free: int, started: str) -> None:
    """Given memory for fewer than the four that are wanted -> as many as fit, and a sentence with need and have."""
    found = fitting(4, 100 * MEGABYTE, free * MEGABYTE)
    assert found.processes == int(started[0])
    assert found.remark == (
        "SAGEMAKER_MODEL_SERVER_WORKERS is 4, which needs about 100 MB of memory for each process, and "
        f"{free} MB are free here: {started} started."
    )


def test_too_little_for_one_is_rejected() -> None:
    """Given a megabyte less than one process needs -> an error of the platform with need, have and what to do."""
    with pytest.raises(PlatformError) as found:
        fitting(1, 100 * MEGABYTE, 99 * MEGABYTE)
    assert str(found.value) == (
        "Serving this model needs about 100 MB of memory, and 99 MB are free here. Choose an instance type with more "
        "memory, or raise the container's limit."
    )
