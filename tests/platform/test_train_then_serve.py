"""The whole way with real weights and real photographs: staged, trained, served, asked."""

import base64
import csv
import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.platform.serving import ROOT, served_locally
from tests.support import named_photographs
from tests.support.photographs import some_solar_cells

pytestmark = [pytest.mark.slow, pytest.mark.no_cover]


def ask(url: str, body: bytes, content_type: str, accept: str = "application/json") -> Any:
    """Send a request and return the decoded answer."""
    request = urllib.request.Request(url, body, {"Content-Type": content_type, "Accept": accept})
    return json.load(urllib.request.urlopen(request, timeout=60))


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Solar cells: 60 of each class to train on, 20 of each held out."""
    return some_solar_cells(tmp_path_factory.mktemp("solar"), {"train": 60, "held-out": 20})


@pytest.fixture(scope="module", params=["lite0", "mobilenetv2-160"])
def job(request: pytest.FixtureRequest, photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stage a backbone and train its head with the laptop's commands; return the job's folder."""
    folder = tmp_path_factory.mktemp(request.param)
    stage = [str(ROOT / "scripts" / "stage-backbone"), request.param, "--output", str(folder / "backbone.tar.gz")]
    subprocess.run(stage, check=True, capture_output=True)
    train = [str(ROOT / "scripts" / "train-locally"), "--training", str(photographs / "train")]
    train += ["--model", str(folder / "backbone.tar.gz"), "--output", str(folder / "job")]
    settings = ["train_only_top_layer=True", "epochs=15", "learning_rate=0.003", "validation_split_ratio=0.25"]
    subprocess.run([*train, *settings], check=True, capture_output=True)
    return folder / "job"


@pytest.mark.every
def test_served_answers_are_those_of_training(job: Path, photographs: Path) -> None:
    """Validation images over HTTP, as bytes and as instances -> predictions.csv's answers, and features of each."""
    with (job / "output/data/predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 30
    bodies = [(photographs / "train" / row["file"]).read_bytes() for row in rows]
    instances = json.dumps({"instances": [{"b64": base64.b64encode(body).decode()} for body in bodies]})
    with served_locally(job / "model") as (_, url):
        single = [ask(url, body, "application/x-image", "application/json;verbose;embedding") for body in bodies]
        many = ask(url, instances.encode(), "application/json")["predictions"]
    for row, answer, listed in zip(rows, single, many, strict=True):
        assert answer["predicted_label"] == row["predicted"]
        assert max(answer["probabilities"]) == pytest.approx(float(row["probability"]), abs=1e-5)
        np.testing.assert_allclose(answer["probabilities"], listed, atol=1e-5)
    embeddings = np.array([answer["embedding"] for answer in single])
    assert embeddings.shape == (30, 1280)
    assert len(np.unique(embeddings, axis=0)) == 30


@pytest.mark.every
def test_served_model_tells_unfamiliar_photographs(job: Path, photographs: Path) -> None:
    """Validation images, held-out ones and other photographs -> spread from 0 to 1, mostly above 0, all close to 0."""

    def familiarity(bodies: Iterable[bytes]) -> list[float]:
        accept = "application/json;ood"
        return sorted(ask(url, body, "application/x-image", accept)["familiarity"] for body in bodies)

    with (job / "output/data/predictions.csv").open() as file:
        validation = [photographs / "train" / row["file"] for row in csv.DictReader(file)]
    others = (named_photographs.of_wheel(name) for name in ("coffee.png", "chelsea.png", "china.jpg", "rocket.jpg"))
    with served_locally(job / "model") as (_, url):
        known = familiarity(path.read_bytes() for path in validation)
        held_out = familiarity(path.read_bytes() for path in sorted((photographs / "held-out").glob("*/*")))
        unknown = familiarity(others)
    assert known == pytest.approx(np.arange(len(known)) / len(known), abs=0.05)
    assert np.median(held_out) > 0.2
    assert max(unknown) <= 0.05


@pytest.mark.every
def test_job_verified_the_twin_and_both_accuracies(job: Path) -> None:
    """The finished job -> no other answer; the bytes signature within 1e-3 in the median, 99 % the same answer."""
    found = json.loads((job / "model/__model_info__.json").read_text())["verification"]
    assert found["other_answers"] == 0
    assert found["served_accuracy"] == pytest.approx(found["training_accuracy"], abs=0.005)
    assert found["twin_median_difference"] <= 1e-3
    assert found["twin_same_answer"] >= 0.99


WITHOUT_OUR_CODE = """
import json, sys
import tensorflow as tf

model = tf.saved_model.load(sys.argv[1])
images = tf.constant([open(path, "rb").read() for path in sys.argv[2:]])
json.dump(model.signatures["serving_default"](images)["probabilities"].numpy().tolist(), sys.stdout)
assert "image_classifier" not in sys.modules
"""


@pytest.mark.every
def test_twin_answers_alike_without_our_code(job: Path, photographs: Path, tmp_path: Path) -> None:
    """Bytes into the SavedModel, in a process with TensorFlow alone -> the server's answers, median |dp| <= 1e-3."""
    with (job / "output/data/predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    paths = [photographs / "train" / row["file"] for row in rows]
    command = [sys.executable, "-I", "-c", WITHOUT_OUR_CODE, str(job / "model/1"), *map(str, paths)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    twin = np.array(json.loads(done.stdout))
    with served_locally(job / "model") as (_, url):
        ours = np.array([ask(url, path.read_bytes(), "application/x-image")["probabilities"] for path in paths])
    assert np.median(np.abs(twin - ours).max(axis=1)) <= 1e-3
    assert (twin.argmax(axis=1) == ours.argmax(axis=1)).mean() >= 0.99


@pytest.mark.every
def test_image_size_is_the_backbones(job: Path) -> None:
    """Two backbones of 224 and 160 pixels -> each artefact records its own."""
    size = json.loads((job / "model/__model_info__.json").read_text())["image_size"]
    assert size == ([160, 160] if "mobilenetv2-160" in str(job) else [224, 224])


@pytest.mark.every
def test_demo_tells_how_well(photographs: Path) -> None:
    """Given a folder of photographs -> exit 0, accuracy above the majority, the time of every step, what to try."""
    command = [sys.executable, "-m", "image_classifier.cli.demo", "--data", str(photographs / "train")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "container")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    said = next(line for line in done.stdout.splitlines() if line.startswith("Held-out accuracy: "))
    assert float(said.split()[2]) > 0.6
    assert "largest class: 0.5000" in said
    took = next(line for line in done.stdout.splitlines() if line.startswith("Took ") and "staging" in line)
    for step in ("photographs", "training", "starting the server", "classifying"):
        assert re.search(rf"{step} \d+\.\d", took)
    assert "scripts/serve-locally run/demo-train\n" in done.stdout
