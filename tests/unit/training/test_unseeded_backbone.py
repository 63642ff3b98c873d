"""A backbone that draws random numbers without a seed, which deterministic=True cannot allow."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from image_classifier import PROGRAM

# All of it in a fresh process: a global seed, which other tests set, would be saved with the network.
_TRAIN_WITHOUT_AND_WITH_DETERMINISM = """
import sys
from pathlib import Path
import image_classifier.training
import tf_keras
from image_classifier.artifacts import ModelInfo
from image_classifier.contract.errors import UserError
from image_classifier.class_folders import channel_listing
from image_classifier.training.data import dataset
from image_classifier.training.data.splits import DataSplits
from image_classifier.training.devices import precision
from tests.unit.training import small
from tests.unit.training.test_fine_tuning import train

images, folder = map(Path, sys.argv[1:])
inputs = tf_keras.Input((None, None, 3))
hidden = tf_keras.layers.Dropout(0.2)(tf_keras.layers.Conv2D(8, 3, strides=2)(inputs))
network = tf_keras.Model(inputs, tf_keras.layers.GlobalAveragePooling2D()(hidden))
small.save_backbone(folder, ModelInfo(image_size=(16, 16)), network)
data = DataSplits(*dataset.split(channel_listing.list_channel(images, "training"), 0.25, 123), None)
given = {"train_only_top_layer": False, "epochs": 1, "learning_rate": 0.001}
print(len(train(data, folder, **given).history.epochs), "epoch")
precision.make_deterministic(small.settings(deterministic=True))
try:
    train(data, folder, deterministic=True, **given)
except UserError as error:
    print(error)
"""


@pytest.mark.every
@pytest.mark.no_cover
def test_backbone_that_draws_without_a_seed_is_rejected_when_bits_count(images: Path, tmp_path: Path) -> None:
    """Dropout without a seed in the backbone, in a fresh process -> it trains; deterministic=True -> one sentence."""
    command = [sys.executable, "-W", "ignore", "-c", _TRAIN_WITHOUT_AND_WITH_DETERMINISM]
    environment = {**os.environ, "PYTHONPATH": f"{PROGRAM}:{Path(__file__).parents[3]}"}
    done = subprocess.run(
        [*command, str(images), str(tmp_path / "random")], env=environment, capture_output=True, text=True, check=False
    )
    assert "1 epoch" in done.stdout.splitlines(), done.stderr
    assert "deterministic=True is not possible with this backbone" in done.stdout.splitlines()[-1]
