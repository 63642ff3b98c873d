"""quantization=auto in a job made by `container/train`: a gated int8 IR beside the float32 one, or the reason."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from image_classifier import artifacts
from image_classifier.inference.openvino_model import ir_record, precision_record
from tests.platform.training_process import COLOURS, link_backbone, make_tree, run_train
from tests.support import schemas
from tests.support.html_page import Page

pytestmark = [pytest.mark.no_cover, pytest.mark.every]


def add_validation(tree: Path, count: int) -> None:
    """Add a validation channel of noisy images of both colours."""
    noise = np.random.default_rng(0)
    for name, colour in COLOURS.items():
        folder = tree / "input" / "data" / "validation" / name
        folder.mkdir(parents=True)
        for index in range(count // 2):
            pixels = np.clip(noise.normal(colour, 25, (40, 50, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"{index:03}.png")


@pytest.mark.parametrize("binary", ["False", "True"])
def test_job_leaves_a_gated_int8_ir(tmp_path: Path, tiny_backbone: Path, binary: str) -> None:
    """A calibrated head, by softmax and by sigmoid -> the int8 IR, one line, and the figures in report and card."""
    values = {"train_only_top_layer": "True", "epochs": 3, "learning_rate": "0.05", "binary_mode": binary}
    extra = {"quantization": "auto", "calibration": "temperature", "report": "True"}
    tree = make_tree(tmp_path / "tree", COLOURS, 20, **values, **extra)
    add_validation(tree, 240)
    link_backbone(tree, tiny_backbone)
    done = run_train(tree)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    info = artifacts.read_model_info(tree / "model")
    float32, found = (
        ir_record.read_record(tree / "model", info),
        precision_record.read_int8(tree / "model", info),
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("int8 IR")]
    assert found, lines
    assert len(lines) == 1
    assert not precision_record.is_stale(found, float32)
    precision_record.check_undamaged(tree / "model", found)
    assert found.gate.images == 240
    card = json.loads((tree / "output" / "data" / "model_card.json").read_text())
    detail = card["additional_information"]["custom_details"]["OpenVINO, int8"]
    assert f"on 240 images, largest difference of a probability {found.gate.largest_difference:.0e}" in detail
    assert f"passed its gate: accuracy {found.gate.accuracy:.4f}" in detail
    report = (tree / "output" / "data" / "report.html").read_text()
    assert "passed its gate" in report
    assert "The probabilities include temperature scaling" in report


@pytest.mark.parametrize(
    "values",
    [
        {"recipe": "builtin", "train_only_top_layer": "False", "epochs": 2},
        {"recipe": "auto", "binary_mode": "True"},
        {"recipe": "auto", "train_only_top_layer": "True"},
    ],
    ids=["whole network", "auto, sigmoid", "auto, head"],
)
def test_options_of_trust_together(tmp_path: Path, tiny_backbone: Path, values: dict[str, Any]) -> None:
    """int8, temperature and report for each way of training -> a verified model, and a report that knows of all."""
    extra = {"quantization": "auto", "calibration": "temperature", "report": "True", "tensorboard": "True"}
    tree = make_tree(tmp_path / "tree", COLOURS, 20, **values, **extra)
    add_validation(tree, 240)
    link_backbone(tree, tiny_backbone)
    done = run_train(tree)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert "WARNING: No report" not in done.stdout
    info = artifacts.read_model_info(tree / "model")
    assert info.extra["verified"] is True
    shown = " ".join(Page((tree / "output" / "data" / "report.html").read_text()).text.split())
    assert ("The probabilities include temperature scaling" in shown) is ("temperature" in info.extra["calibration"])
    assert "change no predicted class: train with" not in shown
    reason = precision_record.left_out(info, "int8")
    assert (reason if reason else "passed its gate") in shown
    schemas.validate(json.loads((tree / "output" / "data" / "evaluation.json").read_text()), "model_quality")
    schemas.validate(json.loads((tree / "output" / "data" / "model_card.json").read_text()), "model_card")


def test_few_validation_images_leave_it_out(tmp_path: Path, tiny_backbone: Path) -> None:
    """20 validation images -> exit 0, one line with the number that it takes, a complete model without int8."""
    tree = make_tree(tmp_path / "tree", COLOURS, train_only_top_layer="True", epochs=2, quantization="auto")
    add_validation(tree, 20)
    link_backbone(tree, tiny_backbone)
    done = run_train(tree)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    reason = "20 validation images are fewer than the 200 that its gate takes"
    assert f"int8 IR left out: {reason}. The float32 IR serves this model." in done.stdout
    info = artifacts.read_model_info(tree / "model")
    assert precision_record.left_out(info, "int8") == reason
    assert info.extra["verified"] is True
    assert not (tree / "model" / artifacts.OPENVINO_INT8_DIR).exists()
