"""Stage a network, train it briefly in one of the two modes, write the model folder of a job, and predict with it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tf_keras

from image_classifier import artifact_checksums, artifacts
from image_classifier.artifacts import ModelInfo
from image_classifier.contract import hyperparameters
from image_classifier.contract.hyperparameters import Hyperparameters
from image_classifier.inference.engines import EngineOptions
from image_classifier.inference.openvino_model import conversion, ir_record
from image_classifier.inference.openvino_model.conversion import ComparisonImages
from image_classifier.inference.openvino_model.ir_record import Record
from image_classifier.inference.predictor import Predictor
from image_classifier.model_hub.converters import reusable_saved_model
from image_classifier.training import preparation
from image_classifier.training.data import batches
from image_classifier.training.data.batches import Rows
from image_classifier.training.export import saved_model_export
from image_classifier.training.loop import fitting
from image_classifier.training.loop.fitting import Session
from image_classifier.training.loop.steps import Steps
from image_classifier.training.model import backbone, classifier
from image_classifier.training.model.backbone import Backbone
from image_classifier.training.model.classifier import Network
from tests.families.architectures import Size, made_up_images

CLASSES = ("blue", "green", "red")
LEARNING_RATE = {False: 1e-3, True: 1e-5}
"""Of the head alone and of the whole network. A larger step makes a deep random network certain of one class for every
image, and then nothing can differ any more."""


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


def train(staged: Path, whole: bool, size: Size, images: int = 8, batch: int = 4) -> Trial:
    """Train one epoch on synthetic images, as the job does: the whole network, or the head on features.

    Raises:
        UserError: The staged model cannot be used, or not tuned.
    """
    values = hyperparameters.parse(
        {"train_only_top_layer": not whole, "epochs": 1, "batch_size": batch, "learning_rate": LEARNING_RATE[whole]}
    ).values
    loaded = backbone.load(staged, trainable=whole, trust=False)
    pixels = made_up_images(images, size)
    head = classifier.build_head(values, loaded.feature_count, len(CLASSES))
    network = Network(head, None if preparation.uses_features(values) else loaded)
    inputs = np.asarray(loaded.feature_function()(pixels)) if preparation.uses_features(values) else pixels
    rows = Rows(inputs, np.arange(images) % len(CLASSES))
    session = Session()
    history = fitting.fit(network, values, rows, rows, CLASSES, session)
    assert history.predictions is not None
    steps = Steps(network, values, np.ones(len(CLASSES), np.float32), session.cluster, session.precision)

    def train_again() -> None:
        for batch in batches.epoch_batches(rows, values, session.cluster, 1):
            steps.train(batch, 1, values.learning_rate, (False, False), network.backbone_trainable)

    return Trial(
        loaded=loaded,
        head=head,
        values=values,
        pixels=pixels,
        probabilities=history.predictions.probabilities(values),
        train_again=train_again,
    )


def write(done: Trial, folder: Path) -> Path:
    """Write the model folder that a job would leave, without an IR."""
    saved_model = saved_model_export.save(folder, done.loaded, done.head, done.values)
    artifacts.write_labels(folder, CLASSES)
    info = ModelInfo(
        image_size=done.loaded.info.image_size,
        pixel_scaling_method=done.loaded.info.pixel_scaling_method,
        finetuned=True,
        output="probabilities",
        sha256=artifact_checksums.folder_sha256(saved_model),
    )
    artifacts.write_model_info(folder, info)
    return folder


def convert(folder: Path, images: int = 8) -> Record:
    """Add the IR, checked on synthetic images, and return what was found.

    Raises:
        NotConverted: The network has no OpenVINO form.
    """
    info = artifacts.read_model_info(folder)
    sample = ComparisonImages(conversion.synthetic_images(info).pixels[:images], synthetic=True)
    record = conversion.convert(folder, info, sample)
    artifacts.write_model_info(folder, ir_record.with_record(info, record))
    return record


def answers(folder: Path, pixels: np.ndarray, engine: str) -> np.ndarray:
    """Load a model folder as serving does and return its probabilities, float32 (n, classes)."""
    predictor = Predictor.load(folder, options=EngineOptions(engine))
    return np.array([prediction.probabilities for prediction in predictor.classify(pixels)], np.float32)
