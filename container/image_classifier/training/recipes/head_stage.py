"""Stages 0 and 1: the convex head by cross-validation."""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from image_classifier.training.progress import log
from image_classifier.training.recipes import cross_validation
from image_classifier.training.recipes.cross_validation import Score
from image_classifier.training.recipes.inputs import Inputs
from image_classifier.training.recipes.linear_head import LinearHead
from image_classifier.training.recipes.record import HeadRecord
from image_classifier.training.recipes.stage_store import Stage, StageStore
from image_classifier.training.stopping import raise_if_set

STAGE = "head"


@dataclass(frozen=True)
class FittedHead:
    """The head of stage 0, and the record of its cross-validation."""

    head: LinearHead
    out_of_fold: NDArray[np.float32]
    """Probabilities of the training images, (n, K) or (n, 1) in binary mode; NaN where a hold-out left one out."""
    record: HeadRecord


def run(inputs: Inputs, stages: StageStore) -> FittedHead:
    """Return the head of the best cross-validated accuracy, fitted on all training images. Collective.

    Raises:
        JobStopped: The job was stopped before it was fitted.
    """
    return _unpacked(stages.on_chief(STAGE, lambda: _select(inputs)))


def _select(inputs: Inputs) -> Stage:
    started = time.monotonic()
    features, labels = np.asarray(inputs.training.rows.inputs), inputs.training.rows.labels
    log(f"Recipe: cross-validation of the head on {len(labels):,} images of {len(inputs.class_names)} classes")
    values, kept = inputs.values, inputs.backbone.head
    selection = cross_validation.select(
        features,
        labels,
        len(inputs.class_names),
        values.random_seed,
        binary=values.binary_mode,
        sample_weights=inputs.sample_weights(labels),
        earlier=LinearHead(kept.kernel, kept.bias) if kept else None,
        check=lambda: raise_if_set(inputs.session.stop),
    )
    record = HeadRecord(
        images=len(labels),
        features=features.shape[1],
        folds=selection.folds,
        strength=selection.strength,
        score=selection.scores[selection.strength],
        scores={f"{strength:g}": score for strength, score in sorted(selection.scores.items())},
        seconds=time.monotonic() - started,
    )
    head = selection.head
    arrays = {"kernel": head.kernel, "bias": head.bias, "out_of_fold": selection.out_of_fold}
    return Stage(asdict(record), arrays)


def _unpacked(stage: Stage) -> FittedHead:
    state: dict[str, Any] = dict(stage.state)
    state["score"] = Score(**state["score"])
    state["scores"] = _scores(state["scores"])
    head = LinearHead(stage.arrays["kernel"], stage.arrays["bias"])
    return FittedHead(head, stage.arrays["out_of_fold"], HeadRecord(**state))


def _scores(state: Mapping[str, Any]) -> Mapping[str, Score]:
    return {strength: Score(**score) for strength, score in state.items()}
