"""SIGTERM, in every phase of a job and twice, and the job's own time limit."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.platform.stopped_jobs import assert_stopped_in_a_step, assert_whole, info_of
from tests.platform.training_process import COLOURS, RunningJob, add_large_images, link_backbone, make_tree
from tests.support.waiting import free_port

pytestmark = pytest.mark.no_cover

GRACE_SECONDS = 60
"""Less than the 100 s that a job may take on a machine that does nothing else."""
LONG: dict[str, Any] = {"train_only_top_layer": "True", "epochs": "2", "batch_size": "4", "report": "True"}
CONVERTS = "image_classifier.training.export.openvino_ir"
VERIFIES = "image_classifier.training.export.verification"


def end(job: RunningJob, tree: Path, signals: int = 2) -> str:
    """Send SIGTERM `signals` times; return the log of the job, which must exit with 0 and leave no process behind."""
    children = job.children()
    for _ in range(signals):
        job.terminate()
    assert job.exit_code(GRACE_SECONDS) == 0, job.log()
    assert not (tree / "output" / "failure").exists()
    assert not [child for child in children if Path(f"/proc/{child}").exists()]
    return job.log()


@pytest.mark.every
def test_sigterm_while_waiting_for_another_host(tmp_path: Path, tiny_backbone: Path) -> None:
    """SIGTERM while one of two hosts has not joined -> exit 0 at once, not after the timeout of 15 minutes."""
    tree = make_tree(tmp_path, COLOURS, count=2, **LONG)
    link_backbone(tree, tiny_backbone)
    here, absent = (f"127.0.0.1:{free_port()}" for _ in range(2))
    resources = {"current_host": here, "hosts": [here, absent]}
    (tree / "input/config/resourceconfig.json").write_text(json.dumps(resources))
    with RunningJob(tree) as job:
        job.wait_for("waiting for all of them")
        last = end(job, tree).splitlines()[-1]
    assert last.startswith("Stopped (SIGTERM; waiting for the other hosts) before the first epoch finished.")


@pytest.mark.every
@pytest.mark.parametrize("whole", [False, pytest.param(True, marks=pytest.mark.every)], ids=["features", "first epoch"])
def test_sigterm_before_the_first_epoch_finished(tmp_path: Path, tiny_backbone: Path, whole: bool) -> None:
    """SIGTERM in the feature pass or in the first epoch -> exit 0, no model; one line names the checkpoint, or none."""
    tree = make_tree(tmp_path, COLOURS, count=2, **{**LONG, "train_only_top_layer": str(not whole)})
    add_large_images(tree, count=401, height=1200, width=1600)
    link_backbone(tree, tiny_backbone)
    if whole:
        (tree / "checkpoints").mkdir()
    with RunningJob(tree) as job:
        job.wait_for("Training images: ")
        last = end(job, tree).splitlines()[-1]
    assert last.startswith("Stopped (SIGTERM")
    assert "before the first epoch finished. No model was saved" in last
    newest = next((tree / "checkpoints").glob("checkpoint-*"), None)
    assert last.endswith(
        f" will resume from {newest}." if whole else f" no checkpoint in {tree}/checkpoints to resume from."
    )
    assert not (tree / "model").exists()


@pytest.mark.every
def test_sigterm_in_a_step(tmp_path: Path, tiny_backbone: Path) -> None:
    """SIGTERM once, in the middle of many epochs -> the step finishes; the best model, unverified, and the reports."""
    tree = make_tree(tmp_path, COLOURS, **{**LONG, "epochs": "100000", "learning_rate": "0.001"})
    link_backbone(tree, tiny_backbone)
    with RunningJob(tree) as job:
        job.wait_for("val_accuracy")
        log = end(job, tree, signals=1)
    assert_stopped_in_a_step(tree, log)


@pytest.mark.every
@pytest.mark.parametrize("phase", ["export", "conversion", "verification"])
def test_sigterm_during_finalisation(tmp_path: Path, tiny_backbone: Path, phase: str) -> None:
    """SIGTERM twice in export, conversion, verification -> exit 0, a complete model, the log says what is left out."""
    tree = make_tree(tmp_path, COLOURS, **LONG)
    link_backbone(tree, tiny_backbone)
    with RunningJob(tree) as job:
        if phase == "export":
            job.wait_for_path(tree / "model" / ".saved_model.partial")
        else:
            job.wait_for_child(CONVERTS if phase == "conversion" else VERIFIES)
        log = end(job, tree)
    assert_whole(tree)
    info = info_of(tree)
    assert info["verified"] is False
    assert info["verification"]["left_out"].endswith("before it: SIGTERM")
    has_ir = phase == "verification"
    assert ("left_out" not in info["openvino"], (tree / "model" / "openvino").is_dir()) == (has_ir, has_ir)
    left_out = "the verification" if has_ir else "the OpenVINO IR, the verification"
    assert log.splitlines()[-1].endswith(f"left out: {left_out} and the report.")
    assert not (tree / "output/data/report.html").exists()


@pytest.mark.every
def test_ctrl_c_saves_the_best_model(tmp_path: Path, tiny_backbone: Path) -> None:
    """Given SIGINT to the whole group during the conversion -> exit 0, as after SIGTERM, and a complete model."""
    tree = make_tree(tmp_path, COLOURS, **LONG)
    link_backbone(tree, tiny_backbone)
    with RunningJob(tree) as job:
        job.wait_for_child(CONVERTS)
        job.interrupt()
        assert job.exit_code(60) == 0, job.log()
        last = job.log().splitlines()[-1]
    assert_whole(tree)
    assert last.startswith("Stopped (SIGINT, as from Ctrl-C): the best model so far is saved; left out: ")


@pytest.mark.every
def test_second_ctrl_c_does_not_save(tmp_path: Path, tiny_backbone: Path) -> None:
    """Given SIGINT twice in the first epoch -> the exit code of an interrupted command, one line, no trace."""
    tree = make_tree(tmp_path, COLOURS, count=2, **{**LONG, "train_only_top_layer": "False"})
    add_large_images(tree, count=401, height=1200, width=1600)
    link_backbone(tree, tiny_backbone)
    with RunningJob(tree) as job:
        job.wait_for("Training images: ")
        job.interrupt()
        job.wait_for("Press Ctrl-C again")
        job.interrupt()
        assert job.exit_code(60) == 130, job.log()
        assert job.log().splitlines()[-1] == "Stopped by a second SIGINT, without saving."
        assert "Traceback" not in job.log()
    assert not (tree / "model").exists()


@pytest.mark.every
def test_time_limit_ends_training_early_enough(tmp_path: Path, tiny_backbone: Path) -> None:
    """Epochs for hours under max_runtime -> a dry run of the export first; the job exits in time, with its model."""
    tree = make_tree(tmp_path, COLOURS, **{**LONG, "epochs": "1000000", "max_runtime": "32"})
    link_backbone(tree, tiny_backbone)
    with RunningJob(tree) as job:
        assert job.exit_code(32) == 0, job.log()
        log = job.log()
    assert log.index("Dry run of the export: ") < log.index("val_accuracy")
    assert "Stopped (max_runtime=32: " in log.splitlines()[-1]
    assert_whole(tree)
