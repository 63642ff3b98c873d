"""The images under test, real photographs, a real backbone, and one job that several tests look at."""

import json
import os
import shutil
import subprocess
import uuid
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path

import pytest

from image_classifier import archives, artifacts
from image_classifier.model_hub import pretrained_classifier
from tests.image.containers import ISOLATED, LOCKED_DOWN, PAUSE, Container, Job, Start, docker
from tests.image.shared_folders import SharedFolders
from tests.support.photographs import some_solar_cells
from tests.support.waiting import wait_until

PROJECT = Path(__file__).parents[2]
WORKER = os.environ.get("PYTEST_XDIST_WORKER")
RUN = os.environ.get("IMAGE_CLASSIFIER_TEST_RUN", "by-hand") + (f"-{WORKER}" if WORKER else "")
"""What containers and networks of one run, and of one of its workers, are labelled with."""
HEAD_ONLY = {"train_only_top_layer": "True", "epochs": "5", "batch_size": "16"}
"""Text, as CreateTrainingJob sends it."""
TARGETS = ("serve", "cpu", "gpu")
LONGEST_BUILD = 1800
"""Seconds that a test waits for an image."""
MARKERS = {
    "alone": "measures times or memory, so nothing runs beside it",
    "gpu": "needs the gpu image, which is built while other tests run",
}
WITHOUT_IMAGES = (
    *("test_console_", "test_page_", "test_report_", "test_result_", "test_train_screen_", "test_try_"),
    *("test_chromium_", "test_data_grid_", "test_drift_page_", "test_base_is_pinned", "test_image_is_published"),
    *("sagemaker_sdk/test_sdk_guides_", "sagemaker_sdk/test_introduction_"),
)
"""Beginnings of the paths of the files that need none of the images: they come first, while the images are built."""
LONGEST_FIRST = (
    *(
        "sagemaker_sdk/test_sdk_v2_local",
        "test_commands_in_docker",
        "test_image_runs_jobs",
        "test_image_trains_offline",
    ),
    *("sagemaker_sdk/", "test_image_soak", "test_image_stages"),
)
"""Beginnings of the paths of the files that take longest: two workers end together when these come next. The job that
most others look at is trained while the other worker has a job of its own, so that neither waits."""
FIRST = (*WITHOUT_IMAGES, *LONGEST_FIRST)


def pytest_configure(config: pytest.Config) -> None:
    """Declare the markers by which scripts/test-image chooses what runs when."""
    for name, meaning in MARKERS.items():
        config.addinivalue_line("markers", f"{name}: {meaning}")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs the gpu image; put what needs no image first, then the longest files."""
    for item in items:
        values = item.callspec.params.values() if hasattr(item, "callspec") else ()
        if _is_here(item) and ("gpu" in values or "gpu_image" in getattr(item, "fixturenames", ())):
            item.add_marker("gpu")
    items.sort(key=_position)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Wait for the images before a test that may need them, so that its own bound on time is kept for the test."""
    if _position(item) >= len(WITHOUT_IMAGES):
        for target in ("serve", "cpu"):
            wait_for_build(target)
    return (yield)


def _is_here(item: pytest.Item) -> bool:
    """Say whether a test is one of this folder: with several folders the hook is given all of them."""
    return item.path.is_relative_to(Path(__file__).parent)


def _position(item: pytest.Item) -> int:
    """Return an item's place among `FIRST`; items of one place keep their order."""
    path = item.path.relative_to(Path(__file__).parent).as_posix() if _is_here(item) else ""
    places = (place for place, beginning in enumerate(FIRST) if path.startswith(beginning))
    return next(places, len(FIRST))


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> SharedFolders:
    """Folders that all workers use: where scripts/test-image says, else beside the workers' own."""
    own = tmp_path_factory.getbasetemp()
    beside = own.parent if WORKER else own
    root = Path(os.environ.get("IMAGE_CLASSIFIER_TEST_SHARED") or beside / "shared")
    root.mkdir(exist_ok=True)
    return SharedFolders(root)


def name_of_image(target: str) -> str:
    """Return the name of a target's image once scripts/test-image has built it; skips the test when it does not."""
    name = os.environ.get(f"IMAGE_CLASSIFIER_{target.upper()}_IMAGE")
    if not name and (reason := os.environ.get(f"IMAGE_CLASSIFIER_{target.upper()}_IMAGE_LEFT_OUT")):
        pytest.skip(reason)
    if not name:
        raise pytest.UsageError(
            f"these tests need the {target} image: run scripts/test-image, or name one by "
            f"IMAGE_CLASSIFIER_{target.upper()}_IMAGE"
        )
    if wait_for_build(target) == "failed":
        raise pytest.UsageError(f"the {target} image does not build: scripts/test-image prints why at its end")
    return name


def wait_for_build(target: str) -> str:
    """Wait while scripts/test-image builds an image; return "built" or "failed"."""
    folder = os.environ.get("IMAGE_CLASSIFIER_TEST_BUILDS")
    ends = {end: Path(folder) / f"{target}.{end}" for end in ("built", "failed")} if folder else {}
    if not ends:
        return "built"
    what = f"the {target} image is built"
    wait_until(lambda: any(path.exists() for path in ends.values()), LONGEST_BUILD, what, PAUSE)
    return "failed" if ends["failed"].exists() else "built"


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
def photographs(shared: SharedFolders) -> Path:
    """Solar cells: `train/` with 80 images of each class, `held-out/` with 25."""
    counts = {"train": 80, "held-out": 25}
    return shared.filled("photographs", lambda folder: some_solar_cells(folder, counts)) / "chosen"


@pytest.fixture(scope="session")
def photo(photographs: Path) -> bytes:
    """A photo that training never saw."""
    return min((photographs / "held-out").glob("*/*")).read_bytes()


@pytest.fixture(scope="session")
def backbone(shared: SharedFolders) -> Path:
    """EfficientNet-Lite0 with its ImageNet weights, packed for the `model` channel."""
    return shared.filled("backbone", lambda folder: _stage(folder / "model.tar.gz")) / "model.tar.gz"


def _stage(archive: Path, *options: str) -> None:
    command = [str(PROJECT / "scripts" / "stage-backbone"), "lite0", *options, "--output", str(archive)]
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture(scope="session")
def pretrained_model(shared: SharedFolders) -> Path:
    """EfficientNet-Lite0 with its ImageNet head and an IR, as a model folder that tests leave as it is."""

    def fill(folder: Path) -> None:
        _stage(folder / "model.tar.gz", "--with-head")
        model = archives.materialise(folder / "model.tar.gz", folder / "model")
        if not (model / artifacts.OPENVINO_DIR).is_dir():
            assert pretrained_classifier.add_ir(model)

    return shared.filled("pretrained", fill) / "model"


@pytest.fixture(scope="session")
def make_opt_ml(backbone: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Lay out what SageMaker mounts at `/opt/ml`: the channels and the three configuration files."""

    def make(
        training: Path,
        hyperparameters: Mapping[str, str] = HEAD_ONLY,
        model_channel: bool = True,
        root: Path | None = None,
    ) -> Path:
        root = root or tmp_path_factory.mktemp("opt-ml")
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
def trained(shared: SharedFolders, start: Start, make_opt_ml: Callable[..., Path], photographs: Path) -> Job:
    """A job that trained a head on real photographs, with no network and nothing but /opt/ml and /tmp to write to."""

    def train(folder: Path) -> None:
        opt_ml = make_opt_ml(photographs / "train", root=folder)
        container = start("train", options=(*LOCKED_DOWN, "--volume", f"{opt_ml}:/opt/ml"))
        Job(opt_ml, container.exit_code(), container.log()).write()

    return Job.read(shared.filled("trained", train))


@pytest.fixture(scope="session", params=["serve", "cpu"])
def server(request: pytest.FixtureRequest, start: Start, trained: Job) -> Container:
    """An endpoint of each CPU image on what the job left: no network, the model read-only as on the platform."""
    options = (*ISOLATED, *trained.model_mounted())
    container = start("serve", options=options, image=name_of_image(request.param))
    container.wait_for_ping()
    return container
