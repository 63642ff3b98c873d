from typing import Any

import pytest

from image_classifier import tensorflow_start
from tests.unit.training.distributed.test_cluster import finished, found, start_hosts

pytestmark = pytest.mark.no_cover


def survivor(end: str, **variables: str) -> dict[str, Any]:
    """Start two hosts, end the second in the given way, and return what the first reports; it must exit on its own."""
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


@pytest.mark.every
@pytest.mark.parametrize("end", ["killed", "frozen"])
def test_a_killed_or_frozen_host_makes_the_other_fail(end: str) -> None:
    """Given a host that is killed or frozen during its steps -> the other fails in bounded time and explains why."""
    left = survivor(end, LOST_HOST_SECONDS="5")
    assert "Another host of this job exited or is unreachable" in left["said"]
    assert left["seconds"] < 40


@pytest.mark.every
def test_a_hanging_host_makes_the_other_fail() -> None:
    """Given a host that sends heartbeats but hangs -> the other fails after HUNG_HOST_SECONDS and explains why."""
    left = survivor("hanging", HUNG_HOST_SECONDS="4", LOST_HOST_SECONDS="60")
    assert "Another host of this job hangs" in left["said"]
    assert "HUNG_HOST_SECONDS" in left["said"]
    assert 4 <= left["seconds"] < 30


def test_only_errors_of_lost_hosts_are_explained() -> None:
    """Given other TensorFlow errors, a Python error, or a single host -> no explanation."""
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


@pytest.mark.every
def test_barrier_waits_for_a_busy_chief() -> None:
    """Given a chief that finishes three times HUNG_HOST_SECONDS after the other host -> both succeed."""
    for process in start_hosts("chief late", HUNG_HOST_SECONDS="2", LOST_HOST_SECONDS="60"):
        done = finished(process)
        assert done.exit_code == 0, done.errors
        assert found(done)["seconds"] >= 6


@pytest.mark.every
@pytest.mark.parametrize("end", ["killed", "frozen"])
def test_a_chief_lost_during_export_is_noticed(end: str) -> None:
    """Given a chief that is killed or frozen while it exports -> the other reports it, long before the timeout."""
    chief, other = start_hosts(f"chief {end}", LOST_HOST_SECONDS="5")
    try:
        done = finished(other)
    finally:
        chief.kill()
        chief.communicate()
    assert done.exit_code == 3, done.errors
    left = found(done)
    assert "Another host of this job exited or is unreachable" in left["said"]
    assert left["seconds"] < 40


def test_barrier_timeout_covers_the_chiefs_child_processes() -> None:
    """Given the chief's two conversions and its verification, an hour each -> the others wait for longer than all."""
    tensorflow_start.start()
    from image_classifier.training.export import child_process, finalisation

    assert finalisation.LONGEST_SECONDS >= 3 * child_process.LONGEST_SECONDS
