from pathlib import Path
from typing import Any

import pytest

from image_classifier import archives, artifacts
from tests.platform import hosts
from tests.platform.hosts import Host
from tests.platform.training_process import FinishedJob
from tests.platform.warm_starts import assert_leaves_as_much
from tests.support.representatives import some_of

pytestmark = pytest.mark.no_cover

HEAD_ONLY = {"train_only_top_layer": "True", "epochs": "4", "learning_rate": "0.05", "batch_size": "5"}
WHOLE_NETWORK = {**HEAD_ONLY, "train_only_top_layer": "False", "learning_rate": "0.01"}
RECIPE = {"recipe": "auto", "train_only_top_layer": "True"}
EARLIER_HEAD = "head of an earlier job"
VALUES: dict[str, dict[str, str]] = {
    "head only": HEAD_ONLY,
    "whole network": WHOLE_NETWORK,
    "recipe=auto": RECIPE,
    EARLIER_HEAD: {"train_only_top_layer": "True", "epochs": "2", "batch_size": "5"},
}
compared = pytest.mark.parametrize("kind", [name for name in VALUES if name != EARLIER_HEAD], indirect=True)
"""The jobs that are held against the same job on one device."""
PATIENCE = {"HOSTS_WAIT_SECONDS": "120", "LOST_HOST_SECONDS": "20"}


@pytest.fixture(scope="module", params=some_of(VALUES, {EARLIER_HEAD}))
def kind(request: pytest.FixtureRequest) -> str:
    """Which of the jobs it is."""
    return str(request.param)


@pytest.fixture(scope="module")
def values(kind: str) -> dict[str, Any]:
    """Hyperparameters of the jobs."""
    return dict(VALUES[kind])


@pytest.fixture(scope="module")
def model(kind: str, tiny_backbone: Path, finished_job: FinishedJob, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive in the model channel: the backbone, or an earlier job's model.tar.gz, as the platform packs it."""
    if kind != EARLIER_HEAD:
        return tiny_backbone
    archive = tmp_path_factory.mktemp("packed") / "model.tar.gz"
    archives.pack(finished_job.tree / "model", archive)
    return archive


@pytest.fixture(scope="module")
def two_hosts(values: dict[str, Any], model: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Host]:
    """A job on two hosts, finished; 24 images, batches of 5."""
    return finished(hosts.start_hosts(tmp_path_factory.mktemp("two"), model, PATIENCE, **values))


@pytest.fixture(scope="module")
def one(values: dict[str, Any], model: Path, tmp_path_factory: pytest.TempPathFactory) -> Host:
    """The same job, finished, on one device."""
    [found] = finished([hosts.start(hosts.tree_of(tmp_path_factory.mktemp("one"), model, **values))])
    return found


def finished(started: list[Host]) -> list[Host]:
    """Wait for the good end of a job's hosts, and return them."""
    codes = [host.wait() for host in started]
    assert codes == [0] * len(started), " ".join(host.log for host in started)
    return started


def tolerance(one: Host) -> float:
    """Return by how much the same job may differ: sums in another order, through the head or the whole network."""
    return 1e-5 if "train_only_top_layer = True" in one.log else 1e-4


@pytest.mark.every
@compared
def test_two_hosts_train_what_one_trains(one: Host, two_hosts: list[Host]) -> None:
    """Given two hosts -> each weight of the exported model is the one of a single device."""
    alone, together = (hosts.weights(host.tree) for host in (one, two_hosts[0]))
    assert hosts.largest_difference(alone, together) < tolerance(one)


@pytest.mark.every
@compared
def test_two_devices_train_what_one_trains(one: Host, values: dict[str, Any], model: Path, tmp_path: Path) -> None:
    """Given two devices of one host -> the same weights again, and the log names devices and strategy."""
    other = hosts.start_on_two_devices(hosts.tree_of(tmp_path, model, **values))
    assert other.wait() == 0, other.log
    assert hosts.largest_difference(hosts.weights(one.tree), hosts.weights(other.tree)) < tolerance(one)
    assert "2 devices (/device:CPU:0, /device:CPU:1), MirroredStrategy" in other.log


@pytest.mark.every
@compared
def test_the_job_did_train(one: Host, model: Path, tmp_path: Path) -> None:
    """Given a job of another seed -> its weights differ by far more than the tolerance, so the comparison can fail."""
    values: dict[str, Any] = HEAD_ONLY if tolerance(one) == 1e-5 else WHOLE_NETWORK
    other = hosts.start(hosts.tree_of(tmp_path, model, random_seed="7", **values))
    assert other.wait() == 0
    assert hosts.largest_difference(hosts.weights(one.tree), hosts.weights(other.tree)) > 100 * tolerance(one)


def test_the_chief_alone_leaves_a_model(two_hosts: list[Host]) -> None:
    """Given two hosts -> the chief has model and reports, the other neither, since their outputs become one."""
    chief, other = (host.tree for host in two_hosts)
    assert (chief / "model/1/saved_model.pb").is_file()
    assert (chief / "output/data/metrics.json").is_file()
    left = [path for folder in ("model", "output") for path in (other / folder).rglob("*") if path.is_file()]
    assert left == []


@pytest.mark.parametrize("kind", [EARLIER_HEAD], indirect=True)
def test_second_job_on_two_hosts_leaves_as_much_as_the_first(two_hosts: list[Host], finished_job: FinishedJob) -> None:
    """Given an earlier job's model.tar.gz -> both keep its head; a complete artefact, verified, with its lineage."""
    for host in two_hosts:
        assert "Head: kept from an earlier job (reinitialize_top_layer=Auto)." in host.log
    assert_leaves_as_much(two_hosts[0].tree, finished_job.tree, without=artifacts.EVALUATION_FILES)


def test_the_log_says_who_trains(two_hosts: list[Host]) -> None:
    """Given two hosts -> the log names hosts, replicas and strategy."""
    for host in two_hosts:
        assert "2 replicas, MultiWorkerMirroredStrategy over gRPC rings" in host.log
