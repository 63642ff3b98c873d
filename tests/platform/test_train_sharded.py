"""Two hosts that each hold a part of the images (`ShardedByS3Key`), as processes."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.platform import hosts
from tests.platform.hosts import Host
from tests.support.waiting import free_port

pytestmark = [pytest.mark.no_cover, pytest.mark.every]

PATIENCE = {"HOSTS_WAIT_SECONDS": "120", "LOST_HOST_SECONDS": "20"}
VALUES = {"epochs": "3", "learning_rate": "0.05", "batch_size": "6"}


def start_on_shards(folder: Path, backbone: Path, **values: Any) -> list[Host]:
    """Start two hosts, the first with a third of the images and the second with the others."""
    names = tuple(sorted(f"127.0.0.1:{free_port()}" for _ in range(2)))
    trees = [hosts.tree_of(folder / f"host-{rank}", backbone, names, rank, **values) for rank in range(2)]
    described = {"training": {"TrainingInputMode": "File", "S3DistributionType": "ShardedByS3Key"}}
    for rank, tree in enumerate(trees):
        (tree / "input/config/inputdataconfig.json").write_text(json.dumps(described))
        for index, path in enumerate(sorted((tree / "input/data/training").rglob("*.*"))):
            if (index % 3 == 0) != (rank == 0):
                path.unlink()
    return [hosts.start(tree, PATIENCE) for tree in trees]


def finished(started: list[Host]) -> list[Host]:
    """Wait for hosts, which must succeed."""
    codes = [host.wait() for host in started]
    assert codes == [0] * len(started), " ".join(host.log for host in started)
    return started


def test_head_on_shards_is_the_head_of_one_host(tiny_backbone: Path, tmp_path: Path) -> None:
    """Given a third and two thirds of the files -> the head's weights are those of one host that has all."""
    values: dict[str, Any] = {**VALUES, "train_only_top_layer": "True"}
    shards = start_on_shards(tmp_path / "two", tiny_backbone, **values)
    one = hosts.start(hosts.tree_of(tmp_path / "one", tiny_backbone, **values))
    finished([*shards, one])
    assert hosts.largest_difference(hosts.weights(one.tree), hosts.weights(shards[0].tree)) < 1e-5


def test_whole_network_on_shards_learns(tiny_backbone: Path, tmp_path: Path) -> None:
    """Given the whole network -> both hosts end alike, and the chief's model is verified on the images it has."""
    values: dict[str, Any] = {**VALUES, "train_only_top_layer": "False", "learning_rate": "0.01", "epochs": "6"}
    chief, other = finished(start_on_shards(tmp_path, tiny_backbone, **values))
    info = json.loads((chief.tree / "model/__model_info__.json").read_text())
    metrics = json.loads((chief.tree / "output/data/metrics.json").read_text())
    assert info["verified"] is True
    assert 0 < info["verification"]["images"] < sum(info["data"]["classes"].values())
    assert metrics["val_accuracy"] == pytest.approx(1.0)
    measured = [re.findall(r"^\d+/\d+ - \d+s - (loss: .*)$", host.log, re.MULTILINE) for host in (chief, other)]
    assert len(measured[0]) == 6
    assert measured[0] == measured[1]
