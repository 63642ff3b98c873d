"""Refit of the chosen head on training and validation images together."""

from dataclasses import dataclass

import numpy as np

from image_classifier.heads import linear_head
from image_classifier.heads.linear_head import LinearHead
from image_classifier.training.features import feature_rows
from image_classifier.training.recipes.head_stage import FittedHead
from image_classifier.training.recipes.inputs import Inputs
from image_classifier.training.recipes.stage_store import Stage, StageStore
from image_classifier.training.stopping import JobStopped, raise_if_set

STAGE = "refit"


@dataclass(frozen=True)
class Refit:
    """Another head to export, and why."""

    head: LinearHead | None
    """None: the one of stage 0."""
    reason: str
    """Whether it was fitted again, and why, for the record."""


_STOPPED = "the job was stopped"
NOT_REFITTED = Refit(None, "no, only a head is refitted")


def run(inputs: Inputs, stages: StageStore, fitted: FittedHead) -> Refit:
    """Fit the head of stage 0 again where the hyperparameter `refit` says so. Collective."""
    if reason := _reason_against(inputs, fitted):
        return Refit(None, f"no, {reason}")
    try:
        stage = stages.on_chief(STAGE, lambda: _fit(inputs, fitted))
    except JobStopped:
        return Refit(None, f"no, {_STOPPED}")
    images = len(inputs.training.rows) + len(inputs.validation.rows)
    return Refit(
        linear_head.from_arrays(stage.arrays),
        f"yes, on all {images:,} images of training and validation; the metrics are those of the head before it",
    )


def _reason_against(inputs: Inputs, fitted: FittedHead) -> str | None:
    if fitted.earlier_kept:
        return "the head of the earlier job is kept"
    if inputs.values.refit == "False":
        return "refit=False"
    if inputs.values.refit == "Auto" and inputs.data.validation_given:
        return "there is a validation channel (refit=Auto)"
    return _STOPPED if inputs.stop_requested() else None


def _fit(inputs: Inputs, fitted: FittedHead) -> Stage:
    parts = (inputs.training.rows, inputs.validation.rows)
    features = feature_rows.joined(*(np.asarray(rows.inputs) for rows in parts))
    labels = np.concatenate([rows.labels for rows in parts])
    head = linear_head.fit(
        features,
        labels,
        len(inputs.class_names),
        fitted.selection.strength,
        binary=inputs.values.binary_mode,
        sample_weights=inputs.sample_weights(labels),
        start=fitted.head,
        check=lambda: raise_if_set(inputs.session.stop),
    )
    return Stage({}, head.arrays)
