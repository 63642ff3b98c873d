import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.platform import hosts
from tests.platform.hosts import Host
from tests.support.waiting import free_port, wait_until

pytestmark = pytest.mark.no_cover

LONG_JOB = {"train_only_top_layer": "False", "epochs": "100000", "batch_size": "4"}
PATIENCE = {"HOSTS_WAIT_SECONDS": "120", "LOST_HOST_SECONDS": "6"}


@pytest.fixture
def training(tiny_backbone: Path, tmp_path: Path) -> Iterator[list[Host]]:
    """Two hosts in the middle of a job that would take hours; killed after the test."""
    started = hosts.start_hosts(tmp_path, tiny_backbone, PATIENCE, **LONG_JOB)
    try:
        wait_until(lambda: all(has_epochs(host) for host in started), 120, "epochs on both hosts", pause=0.2)
        yield started
    finally:
        for host in started:
            host.process.kill()
            host.process.wait()


def has_epochs(host: Host) -> bool:
    """Return whether a host has finished two epochs; fail when it has exited instead."""
    assert host.process.poll() is None, host.log
    return host.log.count(" - val_accuracy: ") >= 2


@pytest.mark.every
@pytest.mark.parametrize("stopped", [pytest.param(0, marks=pytest.mark.every), 1], ids=["chief", "other"])
def test_all_hosts_stop_after_the_same_step_when_one_is_stopped(training: list[Host], stopped: int) -> None:
    """Given SIGTERM to one of two hosts -> both end after the same epoch, exit 0, and the chief has the model."""
    training[stopped].process.send_signal(signal.SIGTERM)
    started = time.monotonic()
    assert [host.wait(100) for host in training] == [0, 0], training[0].log + training[1].log
    assert time.monotonic() - started < 100
    first, second = (host.log.count(" - val_accuracy: ") for host in training)
    assert first == second
    chief, other = (host.tree for host in training)
    assert (chief / "model/1/saved_model.pb").is_file()
    assert not (other / "model" / "1").exists()


@pytest.mark.every
@pytest.mark.parametrize("lost", [0, 1], ids=["chief", "other"])
def test_a_killed_host_makes_the_other_fail_with_an_explanation(training: list[Host], lost: int) -> None:
    """Given kill -9 of one of two hosts -> the other fails within a minute, explains why, and writes no model."""
    training[lost].process.kill()
    survivor = training[1 - lost]
    started = time.monotonic()
    assert survivor.wait(90) == 1, survivor.log
    assert time.monotonic() - started < 60
    assert survivor.failure.startswith("PlatformError: Another host of this job exited or is unreachable")
    assert "Traceback" not in survivor.failure
    assert not (survivor.tree / "model" / "1").exists()


@pytest.mark.every
def test_a_host_that_never_joins_is_named(tiny_backbone: Path, tmp_path: Path) -> None:
    """Given two hosts of which one starts -> it fails after the timeout, and the failure file names the other."""
    names = tuple(sorted(f"127.0.0.1:{free_port()}" for _ in range(2)))
    tree = hosts.tree_of(tmp_path, tiny_backbone, names, 0, **LONG_JOB)
    here = hosts.start(tree, {"HOSTS_WAIT_SECONDS": "2"})
    assert here.wait(90) == 1
    assert here.failure.startswith("PlatformError: Only 1 of 2 hosts (instance_count) joined within")
    assert f"Missing: {names[1]}: no connection to its port" in here.failure
    assert not (tree / "model" / "1").exists()
