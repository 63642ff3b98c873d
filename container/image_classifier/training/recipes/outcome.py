"""The result of a recipe in the form of every other training: `Trained`."""

from dataclasses import dataclass, replace

from image_classifier.heads.linear_head import LinearHead
from image_classifier.training import fine_tuning
from image_classifier.training.loop import snapshots
from image_classifier.training.loop.fitting import History
from image_classifier.training.recipes import candidates
from image_classifier.training.recipes.candidates import Candidate
from image_classifier.training.recipes.head_stage import FittedHead
from image_classifier.training.recipes.inputs import Inputs
from image_classifier.training.recipes.record import Record
from image_classifier.training.recipes.tuning_stage import TunedNetwork
from image_classifier.training.trained import CrossValidated, Features, Trained


@dataclass(frozen=True)
class Measured:
    """Everything that was measured, and which of it was chosen."""

    head: Candidate
    tuned: TunedNetwork
    chosen: Candidate
    seconds: float
    """From the first decoded image to the choice."""

    def history(self, stopped: str | None) -> History:
        """Return it in the form of epochs: the head, the tuning's epochs, and what was interpolated of them."""
        epochs, best = [self.head.metrics, *self.tuned.epochs], 0
        if self.chosen is not self.head:
            if self.tuned.record.alpha == 1:
                epochs.pop()
            epochs.append(self.chosen.metrics)
            best = len(epochs) - 1
        return History(epochs, best, self.chosen.predictions, self.chosen.weights, self.seconds, stopped)


def finish(
    inputs: Inputs, measured: Measured, fitted: FittedHead, refitted: LinearHead | None, record: Record
) -> Trained:
    """Score the test channel with what was chosen and return it. Collective.

    `refitted` are other weights of a chosen head to export.
    """
    chosen = measured.chosen
    data, session = inputs.data, inputs.session
    weights, probabilities = chosen.weights, chosen.probabilities
    expected = probabilities
    if refitted:
        weights = [refitted.kernel, refitted.bias]
        expected = candidates.predictions(refitted, inputs.validation.rows).probabilities(chosen.values)
    snapshots.assign(chosen.network.trained_variables, weights)
    prepare = inputs.prepared.prepare if chosen.network.backbone is None else inputs.prepare_pixels
    found = fine_tuning.score_test(data.test, prepare, chosen.evaluator, chosen.values, session) if data.test else None
    skipped = [*inputs.training.skipped(session.cluster), *inputs.validation.skipped(session.cluster)]
    total, trainable = fine_tuning.parameters(inputs.backbone, chosen.network, chosen.trained_of_backbone)
    return Trained(
        values=chosen.values,
        # Its head counts as kept in the model info.
        backbone=replace(inputs.backbone, head=inputs.backbone.head if fitted.earlier_kept else None),
        head=chosen.network.head,
        weights=weights,
        history=measured.history(session.stop.reason or None),
        training=inputs.training.listing,
        validation=inputs.validation.chosen(chosen.predictions.rows),
        probabilities=probabilities,
        expected=expected,
        skipped=(*skipped, *(found[1] if found else ())),
        test=found[0] if found else None,
        precision=session.precision,
        features=inputs.prepared.network.record() if inputs.prepared.network else None,
        parameters=total,
        trainable_parameters=trainable,
        seconds=measured.seconds,
        recipe=record.to_json(),
        cross_validated=_cross_validated(inputs, fitted),
        arrays=Features.of(
            inputs.training, inputs.validation, chosen.predictions.rows, of_head=chosen.network.backbone is None
        ),
    )


def _cross_validated(inputs: Inputs, fitted: FittedHead) -> CrossValidated:
    selection = fitted.selection
    rows = selection.held_out
    return CrossValidated(inputs.training.chosen(rows), rows, selection.out_of_fold[rows])
