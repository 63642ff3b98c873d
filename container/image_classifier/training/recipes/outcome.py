"""The result of a recipe in the form of every other training: `Trained`."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from image_classifier.training import fine_tuning
from image_classifier.training.fine_tuning import CrossValidated, Trained
from image_classifier.training.loop import snapshots
from image_classifier.training.loop.fitting import History
from image_classifier.training.recipes import candidates
from image_classifier.training.recipes.candidates import Candidate
from image_classifier.training.recipes.head_stage import FittedHead
from image_classifier.training.recipes.inputs import Inputs
from image_classifier.training.recipes.linear_head import LinearHead
from image_classifier.training.recipes.record import Record


def finish(
    inputs: Inputs,
    epochs: Sequence[dict[str, float]],
    chosen: Candidate,
    refitted: LinearHead | None,
    fitted: FittedHead,
    record: Record,
    seconds: float,
) -> Trained:
    """Score the test channel with the chosen candidate and return it. Collective.

    `epochs` are the metrics of everything that was measured, those of `chosen` last; `refitted` are other weights of
    its head to export.
    """
    data, session = inputs.data, inputs.session
    weights, expected = chosen.weights, chosen.probabilities
    if refitted:
        weights = [refitted.kernel, refitted.bias]
        expected = candidates.predictions(refitted, inputs.validation.rows).probabilities(chosen.values)
    snapshots.assign(chosen.network.trained_variables, weights)
    prepare = inputs.prepare if chosen.network.backbone is None else inputs.prepare_pixels
    found = fine_tuning.score_test(data.test, prepare, chosen.evaluator, chosen.values, session) if data.test else None
    skipped = [*inputs.training.skipped(session.cluster), *inputs.validation.skipped(session.cluster)]
    total, trainable = fine_tuning.parameters(inputs.backbone, chosen.network)
    stopped = session.stop.reason or None
    return Trained(
        values=replace(chosen.values, epochs=len(epochs)),
        backbone=inputs.backbone,
        head=chosen.network.head,
        weights=weights,
        history=History(list(epochs), len(epochs) - 1, chosen.predictions, weights, seconds, stopped),
        training=inputs.training.listing,
        validation=inputs.validation.listing,
        probabilities=chosen.probabilities,
        expected=expected,
        skipped=(*skipped, *(found[1] if found else ())),
        test=found[0] if found else None,
        precision=session.precision,
        features=inputs.network.record(),
        parameters=total,
        trainable_parameters=trainable,
        seconds=seconds,
        recipe=record.to_json(),
        cross_validated=_cross_validated(inputs, fitted),
    )


def _cross_validated(inputs: Inputs, fitted: FittedHead) -> CrossValidated:
    measured = np.flatnonzero(~np.isnan(fitted.out_of_fold).any(axis=1))
    return CrossValidated(inputs.training.chosen(measured), fitted.out_of_fold[measured])
