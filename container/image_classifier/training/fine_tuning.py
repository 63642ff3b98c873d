"""Train a classifier: a head on features that are computed once, or the whole network on decoded images."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from image_classifier.class_folders.listing import Listing
from image_classifier.contract.hyperparameters import Hyperparameters
from image_classifier.training import preparation, stopping
from image_classifier.training.checkpoints.store import Checkpoints
from image_classifier.training.data import dataset, decoding
from image_classifier.training.data.decoding import Skipped
from image_classifier.training.data.splits import DataSplits
from image_classifier.training.devices import accelerators, precision
from image_classifier.training.distributed.cluster import Cluster, single_host
from image_classifier.training.loop import fitting, snapshots
from image_classifier.training.loop.fitting import Session
from image_classifier.training.loop.scoring import Evaluator
from image_classifier.training.model import classifier
from image_classifier.training.model.backbone import Backbone
from image_classifier.training.model.classifier import Network
from image_classifier.training.preparation import Prepared, PreparedData, uses_features
from image_classifier.training.stopping import JobStopped, StopSignal
from image_classifier.training.trained import Features, TestResult, Trained


def train(
    data: DataSplits,
    backbone: Backbone,
    values: Hyperparameters,
    stop: StopSignal,
    cluster: Cluster | None = None,
    checkpoints_dir: Path | None = None,
    keeps_features: bool = True,
) -> Trained:
    """Train on features or pixels of `data`, see `preparation`. Collective: every host calls it and gets the result.

    Resumes from the newest checkpoint in `checkpoints_dir` and writes new ones there; None: neither.
    Features are stored there too, unless `keeps_features` is false.

    Raises:
        UserError: Too many images are unreadable, a class lost all of its images, the loss diverged at once, or
            the checkpoints belong to another job.
        JobStopped: The job was stopped before the first epoch finished.
    """
    started = time.monotonic()
    session = start_session(data, backbone, values, stop, cluster or single_host(), checkpoints_dir)
    features_dir = checkpoints_dir if keeps_features else None
    prepared = preparation.prepare_data(data, backbone, values, session, features_dir)
    return train_on(prepared, data, backbone, values, session, started)


def train_on(
    prepared: PreparedData,
    data: DataSplits,
    backbone: Backbone,
    values: Hyperparameters,
    session: Session,
    started: float,
) -> Trained:
    """Train on prepared data, as `train` does; `started` is the time at which the preparation began. Collective."""
    training, validation = prepared.training, prepared.validation

    def check() -> None:
        preparation.reject_unreadable(data, [training, validation], values, session.cluster)

    with session.cluster.strategy.scope():
        network = build(backbone, values, len(data.training.class_names))
    evaluator = Evaluator(network, values, session.cluster)
    names = data.training.class_names
    history = fitting.fit(network, values, training.rows, validation.rows, names, session, check, evaluator)
    if history.predictions is None:
        raise JobStopped
    seconds = time.monotonic() - started
    test = score_test(data.test, prepared.prepare, evaluator, values, session) if data.test else None
    skipped = [*training.skipped(session.cluster), *validation.skipped(session.cluster)]
    total, trainable = parameters(backbone, network)
    probabilities = history.predictions.probabilities(values)
    return Trained(
        values=values,
        backbone=backbone,
        head=network.head,
        weights=history.weights,
        history=history,
        training=training.without(skipped),
        validation=validation.chosen(history.predictions.rows),
        probabilities=probabilities,
        expected=probabilities,
        skipped=(*skipped, *(test[1] if test else ())),
        test=test[0] if test else None,
        precision=session.precision,
        features=prepared.network.record() if prepared.network else None,
        parameters=total,
        trainable_parameters=trainable,
        seconds=seconds,
        arrays=Features.of(training, validation, history.predictions.rows),
    )


def start_session(
    data: DataSplits,
    backbone: Backbone,
    values: Hyperparameters,
    stop: StopSignal,
    cluster: Cluster,
    folder: Path | None,
) -> Session:
    """Return the environment of a training run; its checkpoints in `folder` belong to these values and images."""
    kind = precision.choose(values, accelerators.describe(tf.config.list_physical_devices("GPU")))
    checkpoints = None
    if folder and cluster.is_chief:
        sources = {
            "classes": list(data.training.class_names),
            "training images": dataset.fingerprint(data.training),
            "validation images": dataset.fingerprint(data.validation),
            "backbone": backbone.info.sha256,
        }
        checkpoints = Checkpoints(folder, snapshots.identity(values, sources))
    return Session(stop, cluster, checkpoints, kind)


def build(backbone: Backbone, values: Hyperparameters, classes: int) -> Network:
    """Build the network to train: a head on features or on the backbone, with an earlier job's weights if any."""
    head = classifier.build_head(values, backbone.feature_count, classes)
    if backbone.head:
        head.get_layer("classes").set_weights([backbone.head.kernel, backbone.head.bias])
    return Network(head, None if uses_features(values) else backbone)


def rebuilt(trained: Trained, backbone: Backbone) -> Trained:
    """Return `trained` with its weights in `backbone`, a second copy, for example outside the training strategy."""
    network = build(backbone, trained.values, len(trained.training.class_names))
    snapshots.assign(network.trained_variables, trained.weights)
    return replace(trained, backbone=replace(backbone, head=trained.backbone.head), head=network.head)


def score_test(
    listing: Listing,
    prepare: Callable[[Listing, str], Prepared],
    evaluator: Evaluator,
    values: Hyperparameters,
    session: Session,
) -> tuple[TestResult, tuple[Skipped, ...]] | None:
    """Score the test channel; None when the job was stopped, since saving its model comes first."""
    started = time.monotonic()
    if stopping.stop_requested_on_any_host(session.stop, session.cluster):
        return None
    try:
        test = prepare(listing, "Test images")
        predictions = evaluator.predict(test.rows, session.raise_if_stopped)
    except JobStopped:
        return None
    skipped = test.skipped(session.cluster)
    decoding.reject_too_many(skipped, len(listing.examples), values.max_bad_fraction)
    metrics = evaluator.score(predictions, test.rows.labels)
    seconds, probabilities = time.monotonic() - started, predictions.probabilities(values)
    listing, features = test.chosen(predictions.rows), test.features(predictions.rows)
    return TestResult(metrics, seconds, listing, probabilities, features), skipped


def parameters(backbone: Backbone, network: Network, trained: int | None = None) -> tuple[int, int]:
    """Return the numbers of weights of backbone and head: all of them, and those that were trained.

    `trained` are those of the backbone, by default all that can be.
    """
    of_head = count_weights(network.head.weights)
    if trained is None:
        trained = count_weights(backbone.layer.trainable_variables) if network.backbone_trainable else 0
    return of_head + count_weights(backbone.layer.variables), of_head + trained


def count_weights(variables: Sequence[Any]) -> int:
    """Return how many numbers variables hold together."""
    return sum(int(np.prod(variable.shape)) for variable in variables)
