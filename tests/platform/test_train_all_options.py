"""A job with every option of its report at once, and the server of what it leaves."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from image_classifier import artifacts
from image_classifier.inference.openvino_model import precision_record
from tests.platform import sample_images
from tests.platform.serving import Server, running, start_server
from tests.platform.training_process import COLOURS, FinishedJob, link_backbone, make_tree, run_train
from tests.support import schemas
from tests.support.made_once import made_once

pytestmark = [pytest.mark.no_cover, pytest.mark.every]

SETTINGS: dict[str, Any] = {
    "train_only_top_layer": "True",
    "epochs": 20,
    "learning_rate": "0.05",
    "calibration": "temperature",
    "quantization": "auto",
    "tensorboard": "True",
    "report": "True",
}


def add_channel(tree: Path, channel: str, count: int, seed: int) -> None:
    """Add a channel of noisy images of both colours."""
    noise = np.random.default_rng(seed)
    for name, colour in COLOURS.items():
        folder = tree / "input" / "data" / channel / name
        folder.mkdir(parents=True)
        for index in range(count // 2):
            pixels = np.clip(noise.normal(colour, 60, (40, 50, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"{index:03}.png")


def run(folder: Path, backbone: Path) -> None:
    """Run the job with a validation and a test channel, and keep its log."""
    tree = make_tree(folder / "tree", COLOURS, 40, **SETTINGS)
    add_channel(tree, "validation", 200, seed=1)
    add_channel(tree, "test", 60, seed=2)
    link_backbone(tree, backbone)
    done = run_train(tree)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    (folder / "log").write_text(done.stdout, encoding="utf-8")


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory, tiny_backbone: Path) -> FinishedJob:
    """The job; to be left as it is."""
    return FinishedJob(made_once(tmp_path_factory, "all-options", lambda folder: run(folder, tiny_backbone)))


@pytest.fixture(scope="module")
def server(job: FinishedJob) -> Iterator[Server]:
    """A server of its model, with explanations."""
    with running(start_server(job.tree, SERVE_EXPLAIN="true")) as found:
        yield found


def test_the_log_has_no_warning(job: FinishedJob) -> None:
    """Every option at once -> a verified model, all parts named in the log, and traits that its child process read."""
    assert "WARNING" not in job.log
    assert "reads the traits of the images" not in job.log
    for start in ("Calibration: temperature ", "int8 IR", "Verification: ", "Report: ", "Verdict: "):
        assert any(line.startswith(start) for line in job.log.splitlines()), start


def test_the_report_judges_the_test_channel(job: FinishedJob) -> None:
    """A test channel -> the score in both files and on the page is that of its 60 images, by the calibrated head."""
    folder = job.tree / "output" / "data"
    quality = json.loads((folder / "evaluation.json").read_text())
    card = json.loads((folder / "model_card.json").read_text())
    schemas.validate(quality, "model_quality")
    schemas.validate(card, "model_card")
    metrics = json.loads((folder / "metrics.json").read_text())
    found = quality["binary_classification_metrics"]
    assert sum(sum(row.values()) for row in found["confusion_matrix"].values()) == 60
    assert found["accuracy"]["value"] == pytest.approx(metrics["test_accuracy"])
    assert metrics["verdict"] in job.log
    page = (folder / "report.html").read_text()
    assert "60 test images" in page
    assert "The probabilities include temperature scaling" in page
    assert "Labels are judged by the probabilities before the calibration" in page


def test_the_artefact_has_every_form(job: FinishedJob) -> None:
    """Every option at once -> temperature, int8 verdict, familiarity and drift baseline in the model folder."""
    model = job.tree / "model"
    info = artifacts.read_model_info(model)
    assert info.extra["verified"]
    assert 0.2 <= info.extra["calibration"]["temperature"] <= 5
    assert precision_record.read_int8(model, info) or precision_record.left_out(info, precision_record.INT8)
    assert (model / artifacts.FAMILIARITY_FILE).is_file()
    assert (model / artifacts.DRIFT_BASELINE_FILE).is_file()


def test_the_server_tells_familiar_images_and_explains(job: FinishedJob, server: Server) -> None:
    """An image of the test channel and one of noise -> the second is less familiar; both have an explanation."""
    known = sorted((job.tree / "input/data/test/red").iterdir())[0].read_bytes()
    noise = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    strange = sample_images.encode(Image.fromarray(noise), "PNG")
    accept = "application/json;verbose;ood;explain"
    answers = [server.classify(image, Accept=accept) for image in (known, strange)]
    assert [answer.status for answer in answers] == [200, 200], answers[0].body
    familiar, other = (answer.json["familiarity"] for answer in answers)
    assert 0 <= other < familiar <= 1
    assert all(np.shape(answer.json["explanation"]["drops"]) == (28, 28) for answer in answers)
    assert answers[0].json["predicted_label"] == "red"
    plain = server.classify(known, Accept="application/json").json
    assert plain["probabilities"] == pytest.approx(answers[0].json["probabilities"], abs=1e-6)
