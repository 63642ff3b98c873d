"""Untidy model folders: the server starts, and logs what it uses and what it ignores."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from image_classifier import artifacts
from tests.platform import sample_images
from tests.platform.serving import Server

pytestmark = pytest.mark.no_cover

StartServer = Callable[..., Server]


@pytest.fixture
def model(colour_models: Path, tmp_path: Path) -> Path:
    """A copy of the model with an IR, in a platform tree."""
    return Path(shutil.copytree(colour_models / "both+openvino", tmp_path / "model"))


def served(start: StartServer, model: Path, **variables: str) -> list[str]:
    """Start a server, classify one image, and return the log lines before it was ready."""
    server = start(model.parent, **variables)
    server.wait_until_ready()
    assert server.classify(sample_images.encode(sample_images.plain(), "JPEG")).status == 200
    lines = server.log().splitlines()
    return lines[: next(index for index, line in enumerate(lines) if line.startswith("Ready on port"))]


def test_ordinary_model_folder_logs_nothing(start: StartServer, model: Path) -> None:
    """Given a model folder written by a job -> no line before the server is ready."""
    assert served(start, model) == []


def test_untidy_model_folder_is_served(start: StartServer, model: Path) -> None:
    """Given a folder around two versions, macOS files, a script of another container -> a line for each."""
    shutil.copytree(model / "1", model / "2")
    inner = model.parent / "inner"
    model.rename(inner)
    model.mkdir()
    inner.rename(model / "my-model")
    for name in ("__MACOSX/._x", "my-model/openvino/._model.xml", "my-model/2/.DS_Store", "my-model/code/inference.py"):
        (model / name).parent.mkdir(exist_ok=True)
        (model / name).write_bytes(b"\0\5\26\7")
    lines = served(start, model, SAGEMAKER_PROGRAM="inference.py", SAGEMAKER_MODEL_SERVER_WORKERS="2")
    assert [line.split(":")[0] for line in lines] == [
        f"The model is in my-model/ of {model}.",
        f"{model / 'my-model'} has the versions 1, 2",
        f"Ignored files of operating systems and tools in {model}",
        "Not run",
    ]
    assert "my-model/code/inference.py" in lines[3]


def test_log_level_applies_to_notes(start: StartServer, model: Path) -> None:
    """Given a script in the model folder and log level WARNING -> no line."""
    (model / "code").mkdir()
    (model / "code" / "inference.py").write_text("raise SystemExit")
    server = start(model.parent, SAGEMAKER_CONTAINER_LOG_LEVEL="30")
    server.wait_until_ready()
    assert server.log() == ""


@pytest.mark.every
def test_assumed_image_size_is_a_warning(start: StartServer, colour_models: Path, tmp_path: Path) -> None:
    """Given a SavedModel without a model info, served by TensorFlow -> a warning with the size of its signature."""
    model = Path(shutil.copytree(colour_models / "both", tmp_path / "model"))
    (model / artifacts.MODEL_INFO_FILE).unlink()
    # The other line is about the engine.
    warning, _ = served(start, model)
    assert "images of 24x32 pixels (from its signature), pixel_scaling_method normalize (assumed)" in warning


@pytest.mark.every
def test_changed_model_is_not_served(start: StartServer, colour_models: Path, tmp_path: Path) -> None:
    """Given a SavedModel whose checksum differs from its model info, served by TensorFlow -> the server exits."""
    model = Path(shutil.copytree(colour_models / "both", tmp_path / "model"))
    path = model / artifacts.MODEL_INFO_FILE
    info = json.loads(path.read_text())
    path.write_text(json.dumps({**info, "sha256": "0" * 64}))
    server = start(model.parent)
    assert server.end(60) != 0
    assert server.log().startswith(f"UserError: The model in {model} is corrupt: its SavedModel has sha256 ")
