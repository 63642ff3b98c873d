"""A job of two hosts that is killed resumes from the chief's checkpoint, on both."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.platform import hosts
from tests.platform.hosts import Host
from tests.support.waiting import free_port, wait_until

pytestmark = [pytest.mark.no_cover, pytest.mark.every]

PATIENCE = {"HOSTS_WAIT_SECONDS": "120", "LOST_HOST_SECONDS": "20"}
VALUES: dict[str, Any] = {"train_only_top_layer": "True", "learning_rate": "0.05", "batch_size": "5"}


def start(trees: list[Path], **values: Any) -> list[Host]:
    """Start a host on each tree, at ports of this start."""
    names = sorted(f"127.0.0.1:{free_port()}" for _ in trees)
    for rank, tree in enumerate(trees):
        (tree / "checkpoints").mkdir(exist_ok=True)
        config = tree / "input" / "config"
        (config / "hyperparameters.json").write_text(json.dumps({**VALUES, **values}))
        resources = {"current_host": names[rank], "hosts": names, "network_interface_name": "lo"}
        (config / "resourceconfig.json").write_text(json.dumps(resources))
    return [hosts.start(tree, PATIENCE) for tree in trees]


def epochs_kept(tree: Path) -> int:
    """Return how many whole epochs the newest checkpoint of a tree has seen."""
    newest = max((tree / "checkpoints").glob("checkpoint-*"))
    return int(json.loads((newest / "state.json").read_text())["state"]["epoch"])


def test_two_killed_hosts_continue_as_one_undisturbed(tiny_backbone: Path, tmp_path: Path) -> None:
    """Kill -9 of both, started again -> both continue where the chief's checkpoint was, and end as one host alone."""
    trees = [hosts.tree_of(tmp_path / f"host-{rank}", tiny_backbone) for rank in range(2)]
    killed = start(trees, epochs="100000")
    try:
        wait_until(lambda: killed[0].log.count(" - val_accuracy: ") >= 5, 120, "five epochs", pause=0.1)
    finally:
        for host in killed:
            host.process.kill()
            host.process.wait()
    kept = epochs_kept(trees[0])
    assert not list((trees[1] / "checkpoints").glob("checkpoint-*"))
    values: dict[str, Any] = {"epochs": str(kept + 4)}
    again = start(trees, **values)
    one = hosts.start(hosts.tree_of(tmp_path / "one", tiny_backbone, **VALUES, **values))
    assert [host.wait() for host in [*again, one]] == [0, 0, 0], " ".join(host.log for host in again)
    for host in again:
        assert "Resuming from a checkpoint" in host.log
        assert host.log.count(" - val_accuracy: ") == 4
    assert hosts.largest_difference(hosts.weights(one.tree), hosts.weights(trees[0])) < 1e-5
