"""What the process tests share: a small backbone as the `model` channel carries it, models, and servers of them."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.platform.serving import ROOT, Server, start_server

_MAKE_BACKBONE = """
import sys
from pathlib import Path
import image_classifier.training
import tf_keras
from image_classifier import archives, artifacts
from image_classifier.model_hub.converters import reusable_saved_model

folder, archive = map(Path, sys.argv[1:])
inputs = tf_keras.Input((None, None, 3))
initial = tf_keras.initializers.GlorotUniform(1)
hidden = tf_keras.layers.Conv2D(8, 3, strides=4, activation="relu", kernel_initializer=initial)(inputs)
network = tf_keras.Model(inputs, tf_keras.layers.GlobalAveragePooling2D()(hidden))
reusable_saved_model.save(network, folder / artifacts.SAVED_MODEL_DIR)
artifacts.write_model_info(folder, artifacts.ModelInfo(image_size=(32, 40), source="test network"))
archives.pack(folder, archive)
"""


@pytest.fixture(scope="session")
def tiny_backbone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A staged backbone of 32 x 40 pixels; made in a process of its own, so that this one stays without TensorFlow."""
    folder = tmp_path_factory.mktemp("backbone")
    archive = folder / "tiny.tar.gz"
    command = [sys.executable, "-c", _MAKE_BACKBONE, str(folder / "model"), str(archive)]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": str(ROOT / "container")}, capture_output=True)
    return archive


@pytest.fixture(scope="session")
def colour_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The classifier of colours in several forms, a folder each, with an OpenVINO IR where its name ends so."""
    folder = tmp_path_factory.mktemp("models")
    forms = ("both", "bytes", "called", "binary", "both+openvino", "binary+openvino", "pixels+openvino")
    words = [word for form in forms for word in (form, str(folder / form))]
    path = {"PYTHONPATH": f"{ROOT / 'container'}:{ROOT}"}
    command = [sys.executable, "-m", "tests.unit.inference.colours", *words]
    subprocess.run(command, check=True, env=path, capture_output=True)
    return folder


@pytest.fixture
def start() -> Iterator[Callable[..., Server]]:
    """Start servers that are gone after the test."""
    started: list[Server] = []

    def run(tree: Path, **variables: str) -> Server:
        started.append(start_server(tree, **variables))
        return started[-1]

    yield run
    for server in started:
        server.process.kill()
        server.end()
