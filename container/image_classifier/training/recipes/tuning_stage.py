"""Stage 1 in the story of a recipe: whether the network is tuned, and the result as a candidate for stage 2."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from image_classifier.contract import metrics as metric_lines
from image_classifier.training import fine_tuning
from image_classifier.training.checkpoints.store import Checkpoints
from image_classifier.training.loop.scoring import Evaluator, Predictions
from image_classifier.training.model.classifier import Network
from image_classifier.training.progress import log
from image_classifier.training.recipes import budget, choice, copied_rows, head_stage, race, tuning
from image_classifier.training.recipes import settings as tuning_settings
from image_classifier.training.recipes.candidates import Candidate
from image_classifier.training.recipes.copied_rows import CopiedRows
from image_classifier.training.recipes.head_stage import FittedHead
from image_classifier.training.recipes.inputs import Inputs
from image_classifier.training.recipes.record import ComparisonRecord, FinalistRecord, RunRecord, TuningRecord
from image_classifier.training.recipes.stage_store import Stage, StageStore
from image_classifier.training.recipes.tuning import Finalist, NotTuned, Tuned
from image_classifier.training.recipes.tuning_inputs import Images, Stage0, TuningInputs

STAGE = "tuning"
_WEIGHT = "weight-{:05d}"


@dataclass(frozen=True)
class TunedNetwork:
    """What stage 1 left."""

    record: TuningRecord
    candidate: Candidate | None = None
    """None: no network was tuned."""
    epochs: Sequence[dict[str, float]] = ()
    """Metrics of each epoch of the tuning."""
    originals: Sequence[NDArray[Any]] = ()
    """Values that the backbone's variables had; empty when they still have them."""

    @property
    def rule(self) -> str:
        """The rule of stage 2 that fired, with its numbers."""
        compared = self.record.comparison
        return compared.rule if compared else f"no network was tuned: {self.record.reason}"

    @property
    def winner(self) -> Candidate | None:
        """The candidate if it wins the comparison with the head."""
        compared = self.record.comparison
        return self.candidate if compared and compared.network_wins else None


def run(inputs: Inputs, stages: StageStore, fitted: FittedHead, head: Candidate) -> TunedNetwork:
    """Tune the network from the head where the rules allow it. Collective.

    A tuning that was stopped counts with its last finished epoch, and resumes in the next run of the job.
    """
    if reason := _reason_against(inputs, fitted):
        return TunedNetwork(TuningRecord(reason))
    if stage := stages.get(STAGE):
        return _unpacked(inputs, _network(inputs), stage)
    if inputs.stop_requested():
        return TunedNetwork(TuningRecord(f"the job was stopped ({inputs.session.stop.reason})"))
    copied = copied_rows.find(inputs, race.JUDGING_SHARE)
    if reason := _too_few_mistakes(inputs, head, copied):
        return TunedNetwork(TuningRecord(reason))
    network = _network(inputs)
    originals = [variable.numpy() for variable in inputs.backbone.layer.variables]
    stage = _tune(inputs, fitted, head, network, copied)
    if not inputs.stop_requested():
        stages.put(STAGE, stage)
    return replace(_unpacked(inputs, network, stage), originals=originals)


def _network(inputs: Inputs) -> Network:
    with inputs.session.cluster.strategy.scope():
        return fine_tuning.build(inputs.backbone, tuning.values_for(inputs.values), len(inputs.class_names))


def _reason_against(inputs: Inputs, fitted: FittedHead) -> str | None:
    if inputs.values.train_only_top_layer:
        return "train_only_top_layer=True"
    tunable = inputs.backbone.tunable and bool(inputs.backbone.layer.trainable_variables)
    return budget.reason_against(tunable, inputs.training.listing.counts(), fitted.selection.score.accuracy)


def _too_few_mistakes(inputs: Inputs, head: Candidate, copied: CopiedRows) -> str | None:
    """Return why no network could win the comparison with the head; None if one might."""
    compared = copied.compared(head.predictions.rows)
    mistakes = ~choice.correct(head.predictions.outputs, inputs.validation.rows.labels)[compared]
    if choice.can_win(int(mistakes.sum())):
        return None
    return (
        f"the head classifies {mistakes.sum()} of {len(mistakes):,} validation images incorrectly, too few for a tuned "
        "network to win the comparison"
    )


def _tune(inputs: Inputs, fitted: FittedHead, head: Candidate, network: Network, copied: CopiedRows) -> Stage:
    allowance = budget.allowance(inputs.values, inputs.session.stop, bool(tf.config.list_physical_devices("GPU")))
    # That of the chief on every host: all of them must make the same plan.
    seconds = float(inputs.session.cluster.gather_json(allowance.seconds)[0])
    log(f"Recipe: fine-tuning the network from this head, for at most about {seconds:.0f} s ({allowance.source})")
    training = inputs.prepare_pixels(inputs.training.listing, "Training images")
    validation = inputs.prepare_pixels(inputs.validation.listing, "Validation images")
    found = tuning.tune(
        TuningInputs(
            network,
            Stage0(fitted.head, head.predictions.outputs, lambda rows: head_stage.fit_rows(inputs, fitted, rows)),
            tuning.values_for(inputs.values),
            Images(training.rows, validation.rows, inputs.class_names, copied),
            inputs.session,
            len(inputs.data.test.examples) if inputs.data.test and inputs.values.max_runtime else 0,
        ),
        seconds,
        lambda name: _store(inputs, name),
    )
    budgeted = TuningRecord(budget_seconds=seconds, budget_source=allowance.source)
    if isinstance(found, NotTuned):
        return Stage({"record": asdict(replace(budgeted, reason=found.reason))}, {})
    part = tuning_settings.tuned_part(network, found.chosen.settings.mode)
    return _packed(found, _record(budgeted, found), fine_tuning.count_weights(part.variables))


def _store(inputs: Inputs, name: str) -> Checkpoints | None:
    checkpoints = inputs.session.checkpoints
    return checkpoints.below(name) if checkpoints else None


def _record(budgeted: TuningRecord, found: Tuned) -> TuningRecord:
    runs = [
        RunRecord(one.rung, str(found.plan.settings[one.entrant]), one.score if math.isfinite(one.score) else None)
        for one in found.runs
    ]
    compared = found.comparison
    return replace(
        budgeted,
        plan=found.plan.sentence,
        race=tuple(runs),
        settings=str(found.chosen.settings),
        others=tuple(
            FinalistRecord(str(one.settings), len(one.history.epochs), _accuracies(one)) for one in found.others
        ),
        epochs=len(found.chosen.history.epochs),
        alpha=found.alpha,
        accuracies=_accuracies(found.chosen),
        race_seconds=found.race_seconds,
        seconds=found.seconds,
        stopped=found.stopped,
        comparison=ComparisonRecord(
            images=compared.rows,
            only_head=compared.only_head,
            only_network=compared.only_tuned,
            head_accuracy=compared.head_accuracy,
            network_accuracy=compared.tuned_accuracy,
            difference=compared.difference,
            standard_error=compared.standard_error,
            network_wins=compared.tuned_wins,
            rule=compared.rule(),
            copies=compared.copies,
        ),
    )


def _accuracies(finalist: Finalist) -> dict[str, float]:
    return {f"{alpha:g}": accuracy for alpha, accuracy in sorted(finalist.accuracies.items())}


def _packed(found: Tuned, record: TuningRecord, trained: int) -> Stage:
    arrays = {_WEIGHT.format(index): np.asarray(weight) for index, weight in enumerate(found.weights)}
    arrays |= {"outputs": found.predictions.outputs, "rows": found.predictions.rows}
    epochs = found.chosen.history.epochs
    chosen = {"learning_rate": found.chosen.settings.learning_rate, "epochs": len(epochs)}
    state = {"record": asdict(record), "epochs": list(epochs), "values": chosen, "trained": trained}
    return Stage(state, arrays)


def _unpacked(inputs: Inputs, network: Network, stage: Stage) -> TunedNetwork:
    record = TuningRecord.from_json(stage.state["record"])
    if record.reason:
        return TunedNetwork(record)
    values = replace(tuning.values_for(inputs.values), **stage.state["values"])
    evaluator = Evaluator(network, values, inputs.session.cluster)
    predictions = Predictions(stage.arrays["outputs"], stage.arrays["rows"])
    epochs: list[dict[str, float]] = stage.state["epochs"]
    measured = evaluator.score(predictions, inputs.validation.rows.labels)
    metrics = {**epochs[-1], **metric_lines.of_validation(measured)}
    weights, trained = _weights(stage), stage.state["trained"]
    candidate = Candidate(values, network, evaluator, weights, predictions, metrics, trained)
    return TunedNetwork(record, candidate, epochs)


def _weights(stage: Stage) -> list[NDArray[Any]]:
    names = sorted(name for name in stage.arrays if name.startswith("weight-"))
    return [stage.arrays[name] for name in names]
