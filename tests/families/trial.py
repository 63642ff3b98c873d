"""Stage a network, train it a little in one of the two modes, write the model folder that a job leaves, ask it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tf_keras

from image_classifier import artifacts
from image_classifier.artifacts import ModelInfo
from image_classifier.contract import hyperparameters
from image_classifier.contract.hyperparameters import Hyperparameters
from image_classifier.inference import conversion, intermediate_representation
from image_classifier.inference.conversion import Sample
from image_classifier.inference.engines import Wish
from image_classifier.inference.intermediate_representation import Record
from image_classifier.inference.predictor import Predictor
from image_classifier.model_hub import reusable_saved_model
from image_classifier.training import backbone, batches, classifier, export, loop, preparation
from image_classifier.training.backbone import Backbone
from image_classifier.training.batches import Rows
from image_classifier.training.classifier import Network
from image_classifier.training.loop import Session
from image_classifier.training.steps import Steps
from tests.families.architectures import Size, made_up_pictures

CLASSES = ("blue", "green", "red")
LEARNING_RATE = {False: 1e-3, True: 1e-5}
"""Of the head alone and of the whole network. A larger step makes a deep random network certain of one class for every
picture, and then nothing can differ any more."""


@dataclass(frozen=True)
class Trial:
    """A classifier that was trained for one epoch."""

    loaded: Backbone
    head: tf_keras.Sequential
    values: Hyperparameters
    pixels: np.ndarray
    probabilities: np.ndarray
    """Its answers for `pixels`, float32 (n, classes)."""
    train_again: Callable[[], Any]
    """Train one more epoch, everything being compiled; what was answered before is out of date then."""


def stage(folder: Path, network: tf_keras.Model, info: ModelInfo, labels: int = 0) -> Path:
    """Write a network as a model of the Hub with its model info, and `labels` label names when it is a classifier."""
    if len(network.outputs) > 1:
        # Modules with several outputs were saved by Keras, and have its calling convention.
        network.save(str(folder / artifacts.SAVED_MODEL_DIR), save_format="tf")
    else:
        reusable_saved_model.save(network, folder / artifacts.SAVED_MODEL_DIR)
    artifacts.write_model_info(folder, info)
    if labels:
        # As ImageNet's label files with 1,001 entries begin.
        names = [f"class {index}" for index in range(1, 1001)]
        artifacts.write_labels(folder, ["background", *names] if labels == 1001 else names)
    return folder


def train(staged: Path, whole: bool, size: Size, pictures: int = 8, batch: int = 4) -> Trial:
    """Train one epoch on made-up pictures, as the job does: the whole network, or the head on features.

    Raises:
        UserError: The staged model cannot be used, or not tuned.
    """
    values = hyperparameters.parse(
        {"train_only_top_layer": not whole, "epochs": 1, "batch_size": batch, "learning_rate": LEARNING_RATE[whole]}
    ).values
    loaded = backbone.load(staged, trainable=whole, trust=False)
    pixels = made_up_pictures(pictures, size)
    head = classifier.build_head(values, loaded.feature_count, len(CLASSES))
    network = Network(head, None if preparation.uses_features(values) else loaded)
    inputs = np.asarray(loaded.feature_function()(pixels)) if preparation.uses_features(values) else pixels
    rows = Rows(inputs, np.arange(pictures) % len(CLASSES))
    session = Session()
    history = loop.fit(network, values, rows, rows, CLASSES, session)
    assert history.answers is not None
    steps = Steps(network, values, np.ones(len(CLASSES), np.float32), session.hosts, session.precision)

    def train_again() -> None:
        for batch in batches.of_epoch(rows, values, session.hosts, 1):
            steps.train(batch, 1, values.learning_rate, (False, False), network.learns)

    return Trial(
        loaded=loaded,
        head=head,
        values=values,
        pixels=pixels,
        probabilities=history.answers.probabilities(values),
        train_again=train_again,
    )


def write(done: Trial, folder: Path) -> Path:
    """Write the model folder that a job would leave, without an IR."""
    saved_model = export.save(folder, done.loaded, done.head, done.values)
    artifacts.write_labels(folder, CLASSES)
    info = ModelInfo(
        image_size=done.loaded.info.image_size,
        pixel_scaling_method=done.loaded.info.pixel_scaling_method,
        finetuned=True,
        output="probabilities",
        sha256=artifacts.folder_sha256(saved_model),
    )
    artifacts.write_model_info(folder, info)
    return folder


def convert(folder: Path, pictures: int = 8) -> Record:
    """Add the IR, checked on made-up pictures, and return what was found.

    Raises:
        NotConverted: There is none.
    """
    info = artifacts.read_model_info(folder)
    sample = Sample(conversion.made_up_sample(info).pixels[:pictures], made_up=True)
    record = conversion.convert(folder, info, sample)
    artifacts.write_model_info(folder, intermediate_representation.with_record(info, record))
    return record


def answers(folder: Path, pixels: np.ndarray, engine: str) -> np.ndarray:
    """Load a model folder as serving does and return its probabilities, float32 (n, classes)."""
    predictor = Predictor.load(folder, wish=Wish(engine))
    return np.array([prediction.probabilities for prediction in predictor.classify(pixels)], np.float32)
