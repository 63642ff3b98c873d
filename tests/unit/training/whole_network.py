"""The plainest training of a small whole network; as a program of its own, with XLA or without."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from image_classifier import PROGRAM, tensorflow_start
from image_classifier.artifacts import ModelInfo
from image_classifier.training.data.batches import Rows
from tests.unit.training import small
from tests.unit.training.recording import NAMES, PLAIN, Recorder

SEVERAL: dict[str, Any] = {"epochs": 2, "unfreeze_after": 1, "augmentation": True, "gradient_clip_norm": 0.5}
"""Without dropout: XLA draws other numbers from the same seed."""


def rows() -> Rows:
    """Return images of noise."""
    pixels = np.random.default_rng(4).integers(0, 256, (8, 32, 40, 3))
    return Rows(pixels.astype(np.uint8), np.arange(8) % 3)


def train(folder: Path, kind: str = "off", **given: Any) -> Recorder:
    """Train on noise, a batch an epoch, and return the weights before and after each, and each one's answers."""
    from image_classifier.training import fine_tuning
    from image_classifier.training.loop import fitting
    from image_classifier.training.model import backbone

    values = small.settings(**PLAIN | {"batch_size": 8, "epochs": 1, "learning_rate": 0.01} | given)
    loaded = backbone.load(folder, trainable=not values.train_only_top_layer, trust=False)
    network = fine_tuning.build(loaded, values, 3)
    recorder = Recorder(network, values)
    fitting.fit(network, values, rows(), rows(), NAMES, fitting.Session(precision=kind), evaluator=recorder)
    return recorder


def run(xla: str, kind: str) -> subprocess.CompletedProcess[str]:
    """Run this module as a program that tells of its compilations; XLA is set up when TensorFlow is imported."""
    paths = f"{PROGRAM}:{Path(__file__).parents[3]}"
    environment = {**os.environ, "PYTHONPATH": paths, "TF_CPP_MIN_LOG_LEVEL": "0"}
    command = [sys.executable, "-W", "ignore", "-m", "tests.unit.training.whole_network", xla, kind]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True)


def main(xla: str, kind: str) -> None:
    """Train with `SEVERAL` and print the weights."""
    tensorflow_start.start()
    info = ModelInfo(image_size=(32, 40), source="test network")
    with tempfile.TemporaryDirectory() as folder:
        small.save_backbone(Path(folder), info, small.build_network((None, None)))
        stdout, sys.stdout = sys.stdout, sys.stderr
        weights = train(Path(folder), kind, xla=xla, **SEVERAL).epochs[-1]
    json.dump(np.hstack([np.ravel(one) for one in weights]).tolist(), stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
