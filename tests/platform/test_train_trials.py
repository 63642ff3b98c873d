"""The training jobs of a tuning job, which share one address for checkpoints in S3."""

import json
import shutil
from pathlib import Path

import pytest

from tests.platform.training_process import COLOURS, link_backbone, make_tree, run_train

pytestmark = [pytest.mark.no_cover, pytest.mark.every]


def test_trial_leaves_the_checkpoints_of_another_alone(tmp_path: Path, tiny_backbone: Path) -> None:
    """Given the checkpoints of an earlier trial -> one of other values starts from scratch, in a folder of its own."""
    tree = make_tree(tmp_path, COLOURS, train_only_top_layer="True", epochs="2")
    link_backbone(tree, tiny_backbone)
    checkpoints, file = tree / "checkpoints", tree / "input" / "config" / "hyperparameters.json"
    checkpoints.mkdir()
    for name, rate in (("search-001", "0.01"), ("search-002", "0.05")):
        given = {"_tuning_objective_metric": "validation:accuracy", "learning_rate": rate}
        file.write_text(json.dumps({**json.loads(file.read_text()), **given}))
        done = run_train(tree, TRAINING_JOB_NAME=name)
        assert done.returncode == 0, done.stderr
        for left in ("model", "output"):  # Each trial has a machine of its own.
            shutil.rmtree(tree / left)
    assert sorted(path.name for path in checkpoints.iterdir()) == ["search-001", "search-002"]
    for folder in checkpoints.iterdir():
        assert {path.name.split("-")[0] for path in folder.iterdir()} == {"checkpoint"}
