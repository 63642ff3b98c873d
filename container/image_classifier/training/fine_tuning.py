"""Train a classifier on a backbone: on features computed once, or the whole network on decoded pictures."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import tf_keras
from numpy.typing import NDArray

from image_classifier.contract.errors import UserError
from image_classifier.contract.hyperparameters import Hyperparameters
from image_classifier.training import classifier, decoding, features, loop, progress
from image_classifier.training.backbone import Backbone
from image_classifier.training.data import Data
from image_classifier.training.dataset import Example, Listing
from image_classifier.training.decoding import Decoder, Skipped
from image_classifier.training.stopping import JobStopped, stop_if_told


@dataclass(frozen=True)
class Prepared:
    """One part of the data as the trained model takes it."""

    listing: Listing
    rows: loop.Rows
    skipped: tuple[Skipped, ...]
    seconds: float


@dataclass(frozen=True)
class TestResult:
    """The test channel, scored once."""

    metrics: dict[str, float]
    seconds: float
    pictures: int


@dataclass(frozen=True)
class Trained:
    """A trained classifier and what its training saw."""

    backbone: Backbone
    head: tf_keras.Sequential
    history: loop.History
    training: Listing
    validation: Listing
    probabilities: NDArray[np.float32]
    """Of the validation pictures: (n, K), or (n, 1) in binary mode."""
    skipped: tuple[Skipped, ...]
    test: TestResult | None
    parameters: int
    trainable_parameters: int
    seconds: float
    """From the first decoded picture to the last epoch."""


def train(data: Data, backbone: Backbone, values: Hyperparameters, stop: threading.Event) -> Trained:
    """Train on `data`; see `prepare_function` for the two ways.

    Raises:
        UserError: Too many pictures are unreadable, a class lost all of its pictures, or the loss diverged at once.
        JobStopped: `stop` was set before any epoch was measured.
    """
    started = time.monotonic()
    classes = len(data.training.class_names)
    prepare = prepare_function(backbone, values, stop)
    training = prepare(data.training, "Training pictures")
    validation = prepare(data.validation, "Validation pictures")
    _refuse_losses(data, [training, validation], values)
    head = classifier.build_head(values, backbone.feature_count, classes)
    if backbone.head:
        head.get_layer("classes").set_weights([backbone.head.kernel, backbone.head.bias])
    model = head
    if not uses_features(values):
        model = classifier.build_whole(values, backbone, head, classifier.augmentation(values))
    history = loop.fit(model, values, training.rows, validation.rows, classes, stop)
    if history.best_epoch is None:
        raise JobStopped
    seconds = time.monotonic() - started
    probabilities = loop.probabilities(model, validation.rows.inputs, values)
    test = _score_test(data.test, prepare, model, values, classes) if data.test and not stop.is_set() else None
    skipped = (*training.skipped, *validation.skipped, *(test[1] if test else ()))
    total, trainable = _parameters(backbone, head)
    return Trained(
        backbone=backbone,
        head=head,
        history=history,
        training=training.listing,
        validation=validation.listing,
        probabilities=probabilities,
        skipped=skipped,
        test=test[0] if test else None,
        parameters=total,
        trainable_parameters=trainable,
        seconds=seconds,
    )


def uses_features(values: Hyperparameters) -> bool:
    """Tell whether the backbone needs to see every picture only once: it is frozen and the pictures never change."""
    return values.train_only_top_layer and not values.augmentation


def prepare_function(
    backbone: Backbone, values: Hyperparameters, stop: threading.Event
) -> Callable[[Listing, str], Prepared]:
    """Return what turns a listing into rows: features of a frozen backbone, or decoded pictures otherwise."""
    decoder = Decoder(backbone.info.image_size, values.image_resize_interpolation)
    function = backbone.feature_function() if uses_features(values) else None

    def prepare(listing: Listing, phase: str) -> Prepared:
        started = time.monotonic()
        if function is not None:
            found = features.compute(function, decoder, listing.examples, phase, stop)
            inputs: NDArray[Any] = found.features
            examples, skipped = found.examples, found.skipped
        else:
            report = progress.counter(phase, len(listing.examples))

            def check(done: int) -> None:
                stop_if_told(stop)
                report(done)

            store = decoding.decode_all(decoder, listing.examples, check)
            inputs, examples, skipped = store.pixels, store.examples, store.skipped
        rows = loop.Rows(inputs, _labels(examples))
        return Prepared(replace(listing, examples=examples), rows, skipped, time.monotonic() - started)

    return prepare


def _labels(examples: tuple[Example, ...]) -> NDArray[np.int64]:
    return np.array([example.label for example in examples], np.int64)


def _refuse_losses(data: Data, parts: list[Prepared], values: Hyperparameters) -> None:
    skipped = [item for part in parts for item in part.skipped]
    total = len(data.training.examples) + len(data.validation.examples)
    decoding.refuse_too_many(skipped, total, values.max_bad_fraction)
    lost = [name for name, count in parts[0].listing.counts().items() if not count]
    if lost or not parts[1].listing.examples:
        raise UserError(
            f"No readable picture is left of {', '.join(lost) or 'the validation pictures'}; "
            f"first: {skipped[0].path.name}: {skipped[0].reason} Replace the damaged files."
        )


def _score_test(
    listing: Listing,
    prepare: Callable[[Listing, str], Prepared],
    model: Any,
    values: Hyperparameters,
    classes: int,
) -> tuple[TestResult, tuple[Skipped, ...]]:
    started = time.monotonic()
    part = prepare(listing, "Test pictures")
    decoding.refuse_too_many(part.skipped, len(listing.examples), values.max_bad_fraction)
    rows = loop.dataset(part.rows, values, classes, shuffle=False)
    metrics = model.evaluate(rows, verbose=0, return_dict=True)
    return TestResult(metrics, time.monotonic() - started, len(part.rows.labels)), part.skipped


def _parameters(backbone: Backbone, head: tf_keras.Sequential) -> tuple[int, int]:
    def count(variables: Any) -> int:
        return sum(int(np.prod(variable.shape)) for variable in variables)

    own = count(head.weights)
    return own + count(backbone.layer.variables), own + count(backbone.layer.trainable_variables)
