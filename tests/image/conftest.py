"""The images under test, real photographs, a real backbone, and one job that several tests look at."""

import json
import os
import shutil
import subprocess
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from image_classifier import archives, artifacts
from image_classifier.model_hub import pretrained_classifier
from tests.image.containers import ISOLATED, Container, Job, Start, docker
from tests.support.photographs import some_solar_cells

PROJECT = Path(__file__).parents[2]
RUN = os.environ.get("IMAGE_CLASSIFIER_TEST_RUN", "by-hand")
"""What containers and networks of one run of the tests are labelled with."""
HEAD_ONLY = {"train_only_top_layer": "True", "epochs": "5", "batch_size": "16"}
"""Text, as CreateTrainingJob sends it."""
TARGETS = ("serve", "cpu", "gpu")


def name_of_image(target: str) -> str:
    """Return the name of a target's image, which scripts/test-image has built; skips the test when it has not."""
    name = os.environ.get(f"IMAGE_CLASSIFIER_{target.upper()}_IMAGE")
    if not name and (reason := os.environ.get(f"IMAGE_CLASSIFIER_{target.upper()}_IMAGE_LEFT_OUT")):
        pytest.skip(reason)
    if not name:
        raise pytest.UsageError(
            f"these tests need the {target} image: run scripts/test-image, or name one by "
            f"IMAGE_CLASSIFIER_{target.upper()}_IMAGE"
        )
    return name


@pytest.fixture(scope="session")
def image() -> str:
    """Name of the cpu image."""
    return name_of_image("cpu")


@pytest.fixture(scope="session")
def serve_image() -> str:
    """Name of the serve image."""
    return name_of_image("serve")


@pytest.fixture(scope="session", params=TARGETS)
def any_image(request: pytest.FixtureRequest) -> str:
    """Name of each of the images in turn."""
    return name_of_image(request.param)


@pytest.fixture(scope="session")
def start() -> Iterator[Start]:
    """Start containers, with no network unless options say otherwise; all are removed at the end."""
    started: list[str] = []

    def run(*words: str, options: tuple[str, ...] = ISOLATED, image: str | None = None) -> Container:
        name = f"image-classifier-{uuid.uuid4().hex[:12]}"
        started.append(name)
        label = f"image-classifier-test={RUN}"
        docker("run", "--detach", "--name", name, "--label", label, *options, image or name_of_image("cpu"), *words)
        return Container(name)

    yield run
    for name in started:
        docker("rm", "--force", "--volumes", name, check=False)


@pytest.fixture(scope="session")
def published() -> Iterator[tuple[str, ...]]:
    """Options that publish port 8080 on a free port of 127.0.0.1, by a network made here: an engine may have none."""
    network = f"image-classifier-{uuid.uuid4().hex[:12]}"
    docker("network", "create", "--label", f"image-classifier-test={RUN}", network)
    yield ("--network", network, "--publish", "127.0.0.1::8080")
    docker("network", "rm", network, check=False)


@pytest.fixture(scope="session")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Solar cells: `train/` with 80 images of each class, `held-out/` with 25."""
    return some_solar_cells(tmp_path_factory.mktemp("solar"), {"train": 80, "held-out": 25})


@pytest.fixture(scope="session")
def photo(photographs: Path) -> bytes:
    """A photo that training never saw."""
    return min((photographs / "held-out").glob("*/*")).read_bytes()


@pytest.fixture(scope="session")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """EfficientNet-Lite0 with its ImageNet weights, packed for the `model` channel."""
    archive = tmp_path_factory.mktemp("backbone") / "model.tar.gz"
    subprocess.run([PROJECT / "scripts" / "stage-backbone", "lite0", "--output", archive], check=True)
    return archive


@pytest.fixture(scope="session")
def untuned_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """EfficientNet-Lite0 with its ImageNet head and an IR, as a model folder that tests leave as it is."""
    scratch = tmp_path_factory.mktemp("pretrained")
    archive = scratch / "model.tar.gz"
    stage = [str(PROJECT / "scripts" / "stage-backbone"), "lite0", "--with-head", "--output", str(archive)]
    subprocess.run(stage, check=True, capture_output=True)
    folder = archives.materialise(archive, scratch / "model")
    if not (folder / artifacts.OPENVINO_DIR).is_dir():
        assert pretrained_classifier.add_ir(folder)
    return folder


@pytest.fixture(scope="session")
def make_opt_ml(backbone: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Lay out what SageMaker mounts at `/opt/ml`: the channels and the three configuration files."""

    def make(training: Path, hyperparameters: Mapping[str, str] = HEAD_ONLY, model_channel: bool = True) -> Path:
        root = tmp_path_factory.mktemp("opt-ml")
        channels = ["training", "model"] if model_channel else ["training"]
        shutil.copytree(training, root / "input" / "data" / "training")
        if model_channel:
            (root / "input" / "data" / "model").mkdir()
            shutil.copyfile(backbone, root / "input" / "data" / "model" / "model.tar.gz")
        configuration = root / "input" / "config"
        configuration.mkdir()
        channel = {"TrainingInputMode": "File", "S3DistributionType": "FullyReplicated", "RecordWrapperType": "None"}
        files = {
            "hyperparameters.json": dict(hyperparameters),
            "inputdataconfig.json": dict.fromkeys(channels, channel),
            "resourceconfig.json": {
                "current_host": "algo-1",
                "hosts": ["algo-1"],
                "network_interface_name": "eth0",
            },
        }
        for name, content in files.items():
            (configuration / name).write_text(json.dumps(content), encoding="utf-8")
        # Jobs may run as any user.
        root.chmod(0o755)
        for name in ("model", "output", "checkpoints"):
            (root / name).mkdir()
            (root / name).chmod(0o777)
        return root

    return make


@pytest.fixture(scope="session")
def trained(start: Start, make_opt_ml: Callable[..., Path], photographs: Path) -> Job:
    """A job that trained a head on real photographs, with no network."""
    opt_ml = make_opt_ml(photographs / "train")
    container = start("train", options=(*ISOLATED, "--volume", f"{opt_ml}:/opt/ml"))
    return Job(opt_ml, container.exit_code(), container.log())


@pytest.fixture(scope="session", params=["serve", "cpu"])
def server(request: pytest.FixtureRequest, start: Start, trained: Job) -> Container:
    """An endpoint of each CPU image on what the job left: no network, the model read-only as on the platform."""
    options = (*ISOLATED, *trained.model_mounted())
    container = start("serve", options=options, image=name_of_image(request.param))
    container.wait_for_ping()
    return container
