"""The OpenVINO IR of a job, made by `container/train` as SageMaker starts it."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.platform import backbones, sample_images
from tests.platform.serving import running, start_server
from tests.platform.training_process import COLOURS, FinishedJob, link_backbone, make_tree, run_train

pytestmark = pytest.mark.no_cover

HEAD_ONLY: dict[str, Any] = {"train_only_top_layer": "True", "epochs": 2, "batch_size": 4}


def info_of(tree: Path) -> dict[str, Any]:
    """Read the model info."""
    found: dict[str, Any] = json.loads((tree / "model" / "__model_info__.json").read_text())
    return found


def test_job_leaves_a_checked_ir_that_is_served(finished_job: FinishedJob, tmp_path: Path) -> None:
    """A job -> the IR and its figures, said before the verification, nothing of OpenVINO's own; it is what serves."""
    tree = finished_job.tree
    assert finished_job.errors == ""
    record = info_of(tree)["openvino"]
    assert (record["other_answers"], record["synthetic"]) == (0, False)
    assert record["largest_difference"] <= 1e-3
    said = [line for line in finished_job.log.splitlines() if line.startswith(("OpenVINO IR: on ", "Verification: "))]
    assert [line.split()[0] for line in said] == ["OpenVINO", "Verification:"]
    assert (info_of(tree)["verified"], info_of(tree)["verification"]["engine"]) == (True, "openvino")
    assert sorted(path.name for path in (tree / "model").iterdir() if path.name.startswith((".", "o"))) == ["openvino"]
    (tmp_path / "model").symlink_to(tree / "model")
    with running(start_server(tmp_path)) as server:
        assert " openvino, 2 classes" in server.log()
        assert server.classify(sample_images.encode(sample_images.plain(), "PNG")).status == 200


@pytest.mark.every
def test_network_that_openvino_cannot_take_is_left_to_tensorflow(tmp_path: Path) -> None:
    """A backbone with an operation that OpenVINO lacks -> one line why, also in the model info, a verified model."""
    tree = make_tree(tmp_path / "tree", COLOURS, **HEAD_ONLY)
    link_backbone(tree, backbones.save_inconvertible(tmp_path))
    done = run_train(tree)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    reason = info_of(tree)["openvino"]["left_out"]
    assert reason.startswith("OpenVINO cannot convert it: No conversion rule found for operations: AsString")
    assert [line for line in done.stdout.splitlines() if "OpenVINO" in line] == [
        f"OpenVINO IR left out: {reason}. TensorFlow serves this model."
    ]
    assert not (tree / "model" / "openvino").exists()
    assert (info_of(tree)["verified"], info_of(tree)["verification"]["engine"]) == (True, "tensorflow")
