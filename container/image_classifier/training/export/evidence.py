"""What a job knows about its model, in the form that `evaluation` judges."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from image_classifier.class_folders.listing import Listing
from image_classifier.evaluation.evidence import TEST, TRAINING, VALIDATION, Evidence, Head, Split
from image_classifier.inference.openvino_model import agreement
from image_classifier.training.data import dataset
from image_classifier.training.export import held_out
from image_classifier.training.loop import class_weights
from image_classifier.training.trained import Trained


def collect(trained: Trained, check: Callable[[], None]) -> Evidence:
    """Collect the evidence of the training; features are referenced, not copied. Fits heads on them.

    `check` is called before each pass over features; may raise.
    """
    known, arrays, test = held_out.predictions(trained, check), trained.arrays, trained.test
    validation = split(
        VALIDATION, trained.validation, trained.probabilities, None if arrays is None else arrays.validation
    )
    training = split(
        TRAINING,
        trained.training,
        None if known is None else known.probabilities,
        None if arrays is None else arrays.training,
    )
    # The test channel may have no readable image.
    tested = [split(TEST, test.listing, test.probabilities, test.features)] if test and test.images else []
    splits = (*tested, validation, training)
    features_are_served = arrays is not None and arrays.of_head
    channels = trained.training.folder.parent
    return Evidence(
        class_names=trained.training.class_names,
        judged=splits[0],
        others=splits[1:],
        head=_head(trained) if features_are_served else None,
        features_are_served=features_are_served,
        strength=known.strength if known else None,
        class_weights=_class_weights(trained),
        history=trained.history.epochs,
        best_epoch=trained.history.best_epoch,
        temperature=trained.temperature,
        learning_curve=held_out.learning_curve(trained, known, check) if known else (),
        skipped=tuple((str(one.path).removeprefix(f"{channels}/"), one.reason) for one in trained.skipped),
    )


def split(
    name: str,
    listing: Listing,
    probabilities: NDArray[np.float32] | None,
    features: NDArray[np.float32] | None,
) -> Split:
    """Return a part of the data; probabilities are (n, K), or (n, 1) in binary mode."""
    return Split(
        name=name,
        folder=listing.folder,
        files=tuple(map(listing.name, listing.examples)),
        labels=dataset.labels(listing.examples),
        probabilities=None if probabilities is None else agreement.two_columns(probabilities),
        features=features,
    )


def _class_weights(trained: Trained) -> tuple[float, ...]:
    """Return the weight of each class; empty when all are equal."""
    names, counts = trained.training.class_names, trained.training.counts()
    found = class_weights.weights(trained.values, names, [counts[name] for name in names])
    return () if (found == found[0]).all() else tuple(found.tolist())


def _head(trained: Trained) -> Head:
    kernel, bias = trained.head.get_layer("classes").get_weights()
    return Head(kernel, bias)
