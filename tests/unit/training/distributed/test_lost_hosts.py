from typing import Any

import pytest

from image_classifier import tensorflow_start
from tests.unit.training.distributed.test_cluster import finished, found, start_hosts

pytestmark = pytest.mark.no_cover


def survivor(end: str, **variables: str) -> dict[str, Any]:
    """Start two hosts, let the second end in some way, and return what the first found; it has to end by itself."""
    first, second = start_hosts(end, **variables)
    try:
        done = finished(first)
    finally:
        second.kill()
        second.communicate()
    assert done.exit_code == 3, done.errors
    return found(done)


def explain(error: BaseException, names: tuple[str, ...] = ("algo-1", "algo-2")) -> Any:
    """Import late, as the job does."""
    from image_classifier.training.distributed import lost_hosts

    return lost_hosts.explain(error, names)


@pytest.mark.parametrize("end", ["killed", "frozen"])
def test_a_host_that_dies_or_freezes_ends_the_other(end: str) -> None:
    """Given a host that is killed or stopped during its steps -> the other ends with the sentence, in bounded time."""
    left = survivor(end, LOST_HOST_SECONDS="5")
    assert "Another host of this job ended or cannot be reached" in left["said"]
    assert left["seconds"] < 40


def test_a_host_that_lives_but_does_not_come_ends_the_other() -> None:
    """Given a host that waits for something else for ever -> the other ends after HUNG_HOST_SECONDS and says so."""
    left = survivor("hanging", HUNG_HOST_SECONDS="4", LOST_HOST_SECONDS="60")
    assert "Another host keeps this one waiting" in left["said"]
    assert "HUNG_HOST_SECONDS" in left["said"]
    assert 4 <= left["seconds"] < 30


def test_only_errors_of_lost_hosts_are_explained() -> None:
    """Given an error of TensorFlow's that has other reasons, one of Python's, or one host -> no explanation."""
    tensorflow_start.start()
    import tensorflow as tf

    gone = tf.errors.UnavailableError(None, None, "from /job:worker/replica:0/task:1: Socket closed\nmore")
    assert explain(tf.errors.ResourceExhaustedError(None, None, "OOM")) is None
    assert explain(tf.errors.InvalidArgumentError(None, None, "shapes")) is None
    assert explain(ConnectionError("reset")) is None
    assert explain(gone, ("algo-1",)) is None
    said = str(explain(gone))
    assert "algo-2 of algo-1, algo-2 (from /job:worker/replica:0/task:1: Socket closed)" in said
    assert "more" not in said


def test_a_chief_that_is_at_work_is_waited_for() -> None:
    """Given a chief that ends three times HUNG_HOST_SECONDS after the other host -> both end well."""
    for process in start_hosts("chief late", HUNG_HOST_SECONDS="2", LOST_HOST_SECONDS="60"):
        done = finished(process)
        assert done.exit_code == 0, done.errors
        assert found(done)["seconds"] >= 6


@pytest.mark.parametrize("end", ["killed", "frozen"])
def test_a_chief_that_is_gone_at_the_end_is_noticed(end: str) -> None:
    """Given a chief that is killed or stopped while it writes the model -> the other says so, long before the limit."""
    chief, other = start_hosts(f"chief {end}", LOST_HOST_SECONDS="5")
    try:
        done = finished(other)
    finally:
        chief.kill()
        chief.communicate()
    assert done.exit_code == 3, done.errors
    left = found(done)
    assert "Another host of this job ended or cannot be reached" in left["said"]
    assert left["seconds"] < 40


def test_the_last_wait_covers_what_the_chief_may_do() -> None:
    """Given the chief's two conversions and its verification, an hour each -> the others wait for longer than all."""
    tensorflow_start.start()
    from image_classifier.training.export import child_process, finalisation

    assert finalisation.LONGEST_SECONDS >= 3 * child_process.LONGEST_SECONDS
