"""Jobs whose model channel holds what an earlier job left, as SageMaker starts them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from image_classifier import archives, artifact_checksums, artifacts, tensorflow_start
from tests.platform.training_process import COLOURS, FinishedJob, failure, link_backbone, make_tree, run_train
from tests.platform.warm_starts import assert_leaves_as_much, info_of
from tests.support import builtin_artifact

pytestmark = pytest.mark.no_cover

SETTINGS: Any = {"train_only_top_layer": "True", "epochs": "4", "learning_rate": "0.05"}
GREEN = {"green": (20, 200, 20)}


@pytest.fixture(scope="module")
def first(finished_job: FinishedJob) -> Path:
    """The tree of a first job on the backbone."""
    return finished_job.tree


@pytest.fixture(scope="module")
def packed(first: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first job's model.tar.gz, as the platform packs it."""
    archive = tmp_path_factory.mktemp("packed") / "model.tar.gz"
    archives.pack(first / "model", archive)
    return archive


@pytest.mark.every
@pytest.mark.parametrize(
    "given",
    [
        {"train_only_top_layer": "True"},
        {"train_only_top_layer": "True", "report": "True"},
        {"learning_rate": "0.001", "report": "True"},
    ],
    ids=["head", "head and report", "whole and report"],
)
def test_second_job_leaves_as_much_as_the_first(tmp_path: Path, first: Path, packed: Path, given: Any) -> None:
    """Given an earlier job's model.tar.gz -> head kept, artefact as complete, verified, its parent's sha256 in it."""
    tree = make_tree(tmp_path, COLOURS, **{"epochs": "2", **given})
    link_backbone(tree, packed)
    done = run_train(tree)
    assert done.returncode == 0, done.stderr
    assert "Head: kept from an earlier job (reinitialize_top_layer=Auto)." in done.stdout
    without = set() if "report" in given else set(artifacts.EVALUATION_FILES)
    if "train_only_top_layer" not in given:
        # Features of a network that is trained as a whole are not kept.
        without.add(artifacts.FAMILIARITY_FILE)
    assert_leaves_as_much(tree, first, without)
    sources = info_of(tree)["hyperparameter_sources"]
    assert sources["learning_rate"] == ("given" if "learning_rate" in given else "our default")


@pytest.mark.every
def test_unpacked_channel_and_true_start_a_new_head(tmp_path: Path, first: Path) -> None:
    """Given an earlier model unpacked in the channel, another class and True -> trains, labels are the new ones."""
    tree = make_tree(tmp_path, {**COLOURS, **GREEN}, **SETTINGS, reinitialize_top_layer="True")
    (tree / "input" / "data" / "model").symlink_to(first / "model")
    done = run_train(tree)
    assert done.returncode == 0, done.stderr
    assert artifacts.read_labels(tree / "model") == ("blue", "green", "red")
    assert info_of(tree)["head"] == "new"
    assert info_of(tree)["parents"] == [info_of(first)["sha256"]]


def test_changed_classes_fail_before_tensorflow_is_loaded(tmp_path: Path, packed: Path) -> None:
    """Given another class and nothing said -> exit 1, one sentence with both lists and the way out, no model."""
    tree = make_tree(tmp_path, {**COLOURS, **GREEN}, count=3, **SETTINGS)
    link_backbone(tree, packed)
    done = run_train(tree)
    assert done.returncode == 1
    assert failure(tree).strip() == (
        "UserError: The classes changed: the earlier model has 2 (blue, red), the training channel has 3 (blue, green, "
        "red); added: green. Use the earlier classes, or set reinitialize_top_layer=True, which starts a new head on "
        "the earlier job's network."
    )
    assert not (tree / "model").exists()
    assert "Backbone: " not in done.stdout


def test_false_on_a_backbone_is_rejected(tmp_path: Path, tiny_backbone: Path) -> None:
    """Given a backbone and reinitialize_top_layer=False -> exit 1: there is no head to keep."""
    tree = make_tree(tmp_path, COLOURS, count=2, reinitialize_top_layer="False")
    link_backbone(tree, tiny_backbone)
    assert run_train(tree).returncode == 1
    assert "without a head to keep" in failure(tree)


@pytest.mark.every
def test_damaged_earlier_model_is_rejected(tmp_path: Path, first: Path) -> None:
    """Given an earlier model with a changed byte among its weights -> exit 1, both sha256, nothing trained."""
    tree = make_tree(tmp_path, COLOURS, **SETTINGS)
    channel = tree / "input" / "data" / "model"
    archives.pack(first / "model", tmp_path / "copy.tar.gz")
    archives.unpack(tmp_path / "copy.tar.gz", channel)
    weights = next(channel.glob("1/variables/variables.data*"))
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(content)
    assert run_train(tree).returncode == 1
    assert "is corrupt: its SavedModel has sha256" in failure(tree)


@pytest.mark.every
def test_builtin_artefact_is_trained_further(tmp_path: Path, tiny_backbone: Path) -> None:
    """Given a model.tar.gz in the built-in's layout -> head kept, and the job leaves one of ours with its lineage."""
    archive = tmp_path / "builtin.tar.gz"
    tensorflow_start.start()
    network = archives.materialise(tiny_backbone, tmp_path / "backbone") / "1"
    builtin_artifact.save(tmp_path / "builtin", network, ("blue", "red"), (32, 40))
    archives.pack(tmp_path / "builtin", archive)
    tree = make_tree(tmp_path / "tree", COLOURS, epochs="2", learning_rate="0.001")
    link_backbone(tree, archive)
    done = run_train(tree)
    assert done.returncode == 0, done.stderr
    after = info_of(tree)
    assert after["head"] == "kept"
    assert after["parents"] == [artifact_checksums.folder_sha256(tmp_path / "builtin" / "1")]
    assert after["verified"] is True
    served = json.loads((tree / "output/data/metrics.json").read_text())["verification"]["served_accuracy"]
    assert np.isclose(served, after["metrics"]["val_accuracy"])
