"""The image under test, real photographs, a real backbone, and one job that several tests look at."""

import json
import os
import shutil
import subprocess
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.image.containers import Container, Job, Start, docker
from tests.photographs import some_solar_cells

PROJECT = Path(__file__).parents[2]
HEAD_ONLY = {"train_only_top_layer": "True", "epochs": "5", "batch_size": "16"}
"""Text, as CreateTrainingJob sends it."""


@pytest.fixture(scope="session")
def image() -> str:
    """Name of the image that scripts/test-image has built."""
    name = os.environ.get("IMAGE_CLASSIFIER_IMAGE")
    if not name:
        raise pytest.UsageError("these tests need an image: run scripts/test-image, or set IMAGE_CLASSIFIER_IMAGE")
    return name


@pytest.fixture(scope="session")
def start(image: str) -> Iterator[Start]:
    """Start containers from the image, with no network unless options say otherwise; all are removed at the end."""
    started: list[str] = []

    def run(*words: str, options: tuple[str, ...] = ("--network", "none")) -> Container:
        name = f"image-classifier-{uuid.uuid4().hex[:12]}"
        started.append(name)
        label = f"image-classifier-test={os.environ.get('IMAGE_CLASSIFIER_TEST_RUN', 'by-hand')}"
        docker("run", "--detach", "--name", name, "--label", label, *options, image, *words)
        return Container(name)

    yield run
    for name in started:
        docker("rm", "--force", name, check=False)


@pytest.fixture(scope="session")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Solar cells: `train/` with 80 pictures of each class, `held-out/` with 25."""
    return some_solar_cells(tmp_path_factory.mktemp("solar"), {"train": 80, "held-out": 25})


@pytest.fixture(scope="session")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """EfficientNet-Lite0 with its ImageNet weights, packed for the `model` channel."""
    archive = tmp_path_factory.mktemp("backbone") / "model.tar.gz"
    subprocess.run([PROJECT / "scripts" / "stage-backbone", "lite0", "--output", archive], check=True)
    return archive


@pytest.fixture(scope="session")
def make_opt_ml(backbone: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Lay out what SageMaker mounts at `/opt/ml`: the channels and the three configuration files."""

    def make(training: Path, hyperparameters: Mapping[str, str] = HEAD_ONLY) -> Path:
        root = tmp_path_factory.mktemp("opt-ml")
        shutil.copytree(training, root / "input" / "data" / "training")
        (root / "input" / "data" / "model").mkdir()
        shutil.copyfile(backbone, root / "input" / "data" / "model" / "model.tar.gz")
        configuration = root / "input" / "config"
        configuration.mkdir()
        channel = {"TrainingInputMode": "File", "S3DistributionType": "FullyReplicated", "RecordWrapperType": "None"}
        files = {
            "hyperparameters.json": dict(hyperparameters),
            "inputdataconfig.json": {"training": channel, "model": channel},
            "resourceconfig.json": {
                "current_host": "algo-1",
                "hosts": ["algo-1"],
                "network_interface_name": "eth0",
            },
        }
        for name, content in files.items():
            (configuration / name).write_text(json.dumps(content), encoding="utf-8")
        for name in ("model", "output", "checkpoints"):
            (root / name).mkdir()
        return root

    return make


@pytest.fixture(scope="session")
def trained(start: Start, make_opt_ml: Callable[..., Path], photographs: Path) -> Job:
    """A job that trained a head on real photographs, with no network."""
    opt_ml = make_opt_ml(photographs / "train")
    container = start("train", options=("--network", "none", "--volume", f"{opt_ml}:/opt/ml"))
    return Job(opt_ml, container.exit_code(), container.log())


@pytest.fixture(scope="session")
def server(start: Start, trained: Job) -> Container:
    """An endpoint on what the job left: no network, the model read-only, as the platform mounts it."""
    container = start("serve", options=("--network", "none", *trained.model_mounted()))
    container.wait_for_ping()
    return container
