"""Faults in the middle of a job: a full disk, an image that cannot be read, a loss that is not a number."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from image_classifier import archives, artifact_checksums
from tests.platform import backbones
from tests.platform.serving import ROOT
from tests.platform.training_process import COLOURS, RunningJob, failure, link_backbone, make_tree, run_train
from tests.support.environments import unmeasured

pytestmark = pytest.mark.no_cover

WHOLE: dict[str, Any] = {"epochs": "3", "batch_size": "4", "learning_rate": "0.01"}


def run_with_small_files(tree: Path, kibibytes: int) -> subprocess.CompletedProcess[str]:
    """Run the training program where no file may become larger, which is what a full disk looks like."""
    command = f"ulimit -f {kibibytes}; exec {sys.executable} {ROOT / 'container' / 'train'}"
    environment = unmeasured(SAGEMAKER_BASE_DIR=str(tree))
    return subprocess.run(
        ["bash", "-c", command], env=environment, capture_output=True, text=True, check=False, timeout=100
    )


@pytest.mark.every
@pytest.mark.parametrize("limited", [False, True], ids=["after training", "with max_runtime before it"])
def test_full_disk_at_the_export(tmp_path: Path, tiny_backbone: Path, limited: bool) -> None:
    """No room for the model's graph -> exit 1, path and free bytes in the failure file, nothing half-written."""
    more: dict[str, Any] = {"max_runtime": "600"} if limited else {}
    tree = make_tree(tmp_path, COLOURS, train_only_top_layer="True", epochs="1", **more)
    link_backbone(tree, tiny_backbone)
    done = run_with_small_files(tree, 64)
    assert done.returncode == 1, done.stdout
    assert ("val_accuracy" in done.stdout) is not limited
    assert failure(tree).startswith("PlatformError: /" if limited else f"PlatformError: {tree / 'model'}")
    assert "/.saved_model.partial cannot grow: " in failure(tree)
    assert "bytes are free there" in failure(tree)
    assert "Traceback" not in done.stderr
    assert list((tree / "model").iterdir()) == []


@pytest.mark.every
def test_full_disk_at_a_checkpoint(tmp_path: Path, tiny_backbone: Path) -> None:
    """No room for the next checkpoint -> exit 1 with path and free bytes; those before are as they were."""
    tree = make_tree(tmp_path, COLOURS, **{**WHOLE, "epochs": "100000"})
    # Unpacked, so that the job writes nothing before its first checkpoint.
    archives.unpack(tiny_backbone, tree / "input/data/model")
    (tree / "checkpoints").mkdir()
    with RunningJob(tree) as job:
        job.wait_for("val_accuracy")
        job.terminate()
        assert job.exit_code(60) == 0, job.log()
    before = artifact_checksums.folder_sha256(tree / "checkpoints")
    done = run_with_small_files(tree, 1)
    assert done.returncode == 1, done.stdout
    assert "Resuming from a checkpoint: " in done.stdout
    assert failure(tree).startswith(f"PlatformError: {tree / 'checkpoints'}/.checkpoint-")
    assert "bytes are free there" in failure(tree)
    assert artifact_checksums.folder_sha256(tree / "checkpoints") == before


@pytest.mark.every
def test_unreadable_image_in_the_middle(tmp_path: Path, tiny_backbone: Path) -> None:
    """A truncated image among those of the whole network's training -> skipped, listed, the job succeeds."""
    tree = make_tree(tmp_path, COLOURS, **WHOLE)
    image = tree / "input/data/training/blue/07.jpg"
    image.write_bytes(image.read_bytes()[:200])
    link_backbone(tree, tiny_backbone)
    done = run_train(tree)
    assert done.returncode == 0, done.stderr
    assert json.loads((tree / "output/data/metrics.json").read_text())["skipped"] == 1
    assert "blue/07.jpg" in (tree / "output/data/skipped.csv").read_text()


@pytest.mark.every
def test_killed_verification_does_not_lose_the_model(tmp_path: Path, tiny_backbone: Path) -> None:
    """The process that verifies is killed, as when memory runs out -> exit 0, the model unverified, the reason said."""
    tree = make_tree(tmp_path, COLOURS, train_only_top_layer="True", epochs="1")
    link_backbone(tree, tiny_backbone)
    with RunningJob(tree) as job:
        job.wait_for_child("image_classifier.training.export.verification")
        for child in job.children():
            os.kill(child, signal.SIGKILL)
        assert job.exit_code(60) == 0, job.log()
        log = job.log()
    info = json.loads((tree / "model" / "__model_info__.json").read_text())
    reason = "its process was killed by SIGKILL, probably for lack of memory"
    assert (info["verified"], info["verification"]) == (False, {"left_out": reason})
    assert f"WARNING: The model is not verified: {reason}." in log
    assert (tree / "model/openvino/model.xml").is_file()


@pytest.mark.every
def test_loss_that_is_no_number_ends_training_with_the_best_epoch(tmp_path: Path) -> None:
    """NaN in the third step of the second epoch -> said with the learning rate, and the first epoch is exported."""
    tree = make_tree(tmp_path / "tree", COLOURS, **WHOLE)
    link_backbone(tree, backbones.save_diverging(tmp_path))
    done = run_train(tree)
    assert done.returncode == 0, done.stderr
    said = next(line for line in done.stdout.splitlines() if "nan" in line)
    assert "epoch 2, step 3, at learning_rate=0.01" in said
    metrics = json.loads((tree / "output/data/metrics.json").read_text())
    assert (metrics["epochs"], metrics["best_epoch"]) == (1, 1)
    assert (tree / "model/1/saved_model.pb").is_file()
