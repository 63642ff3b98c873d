"""What the process tests share: a small backbone as the `model` channel carries it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

_MAKE_BACKBONE = """
import sys
from pathlib import Path
import image_classifier.training
import tf_keras
from image_classifier import archives, artifacts
from image_classifier.model_hub import reusable_saved_model

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
    container = Path(__file__).parents[2] / "container"
    command = [sys.executable, "-c", _MAKE_BACKBONE, str(folder / "model"), str(archive)]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": str(container)}, capture_output=True)
    return archive
