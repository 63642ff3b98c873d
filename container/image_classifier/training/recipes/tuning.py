"""Stage 2: tune the network from the head of stage 0 (LP-FT: Kumar and others, arXiv 2202.10054).

Measure steps, plan, race the settings, train with the winner's, interpolate with the network of stage 0, and compare.
The plan and every run of the race are stored in the checkpoint store "race", the training in "tuning".
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from numpy.typing import NDArray

from image_classifier.contract.hyperparameters import Hyperparameters
from image_classifier.training import stopping
from image_classifier.training.checkpoints.store import Checkpoints
from image_classifier.training.loop import fitting, snapshots
from image_classifier.training.loop.fitting import Diverged, History, Variant
from image_classifier.training.loop.scoring import Evaluator, Predictions
from image_classifier.training.progress import log
from image_classifier.training.recipes import choice, interpolation, race
from image_classifier.training.recipes import settings as tuning_settings
from image_classifier.training.recipes.budget import Plan
from image_classifier.training.recipes.choice import Comparison
from image_classifier.training.recipes.interpolation import Interpolation
from image_classifier.training.recipes.moving_statistics import MovingStatistics
from image_classifier.training.recipes.race import Run
from image_classifier.training.recipes.settings import TuningSettings
from image_classifier.training.recipes.stored_race import StoredRace
from image_classifier.training.recipes.tuning_inputs import TuningInputs
from image_classifier.training.stopping import JobStopped

Store = Callable[[str], Checkpoints | None]
"""Opens the checkpoint store of a name on the chief; returns None on other hosts, and without a checkpoint folder."""


@dataclass(frozen=True)
class Tuned:
    """A tuned network."""

    weights: Sequence[NDArray[Any]]
    """Values of `Network.trained_variables`: those of stage 0 and of the last epoch, interpolated."""
    predictions: Predictions
    """Its own for the readable validation rows."""
    comparison: Comparison
    """With the head of stage 0; it counts the choice of alpha, see `interpolation.choose`."""
    alpha: float
    """Share of the tuned weights."""
    accuracies: Mapping[float, float]
    """Validation accuracy by alpha."""
    settings: TuningSettings
    epochs: Sequence[dict[str, float]]
    """Metrics of each epoch, at alpha 1."""
    plan: Plan
    runs: Sequence[Run]
    """Of the race."""
    race_seconds: float
    """Of measuring and the race, in this run of the job."""
    seconds: float
    """Of the whole stage, in this run of the job."""
    stopped: str | None
    """Why the training stopped before its last epoch; None if it did not."""


@dataclass(frozen=True)
class NotTuned:
    """No network was tuned."""

    reason: str
    """Without a full stop."""


def values_for(values: Hyperparameters) -> Hyperparameters:
    """Return the hyperparameters of stage 2, also for building its network; the race sets the learning rate.

    Adam, a cosine after 10 % of warm-up and gradients clipped to the norm 1, as AutoGluon MultiModal. Neither label
    smoothing nor dropout nor L2: they would first of all undo a head that is fitted already.
    """
    return replace(
        values,
        train_only_top_layer=False,
        unfreeze_after=0,
        optimizer="adam",
        learning_rate_schedule="cosine",
        warmup_fraction=0.1,
        gradient_clip_norm=1.0,
        label_smoothing=0.0,
        dropout_rate=0.0,
        regularizers_l2=0.0,
        early_stopping=False,
    )


def tune(inputs: TuningInputs, seconds: float, store: Store) -> Tuned | NotTuned:
    """Tune a network within about `seconds`. Collective: every host gets the same result.

    A stop during the training returns the last finished epoch, compared like any other. The network ends with the
    weights of the result, or as it was.

    Raises:
        UserError: The checkpoints belong to another job, or a class weight names an unknown class.
    """
    before = [variable.numpy() for variable in inputs.network.trained_variables]
    try:
        result = _Tuning(inputs, before[inputs.head_arrays :], store).run(seconds)
    except JobStopped:
        result = NotTuned(f"the job was stopped ({inputs.session.stop.reason}) before its first epoch ended")
    snapshots.assign(inputs.network.trained_variables, result.weights if isinstance(result, Tuned) else before)
    return result


class _Tuning:
    def __init__(self, inputs: TuningInputs, backbone: Sequence[NDArray[Any]], store: Store) -> None:
        self._inputs, self._store = inputs, store
        self._start = [inputs.stage0.head.kernel, inputs.stage0.head.bias, *backbone]
        self._evaluator = Evaluator(inputs.network, inputs.values, inputs.session.cluster)

    def run(self, seconds: float) -> Tuned | NotTuned:
        started = time.monotonic()
        raced = StoredRace(self._inputs, self._store("race"))
        plan = raced.plan(seconds)
        if isinstance(plan, str):
            return NotTuned(plan)
        log(f"Tuning: {plan.sentence}.")
        runs = raced.run(plan)
        best = race.winner(plan, runs)
        if best is None:
            return NotTuned("the loss of every setting in the last rung of the race became infinite")
        race_seconds, settings = time.monotonic() - started, plan.settings[best]
        log(f"Tuning: {plan.epochs[best]} epochs with {settings}.")
        try:
            history = self._fit(settings, plan.epochs[best], raced.momenta)
        except Diverged:
            return NotTuned(f"the loss became infinite in the first epoch with {settings}")
        if history.predictions is None:
            raise JobStopped
        found, comparison = self._chosen(history.weights, history.predictions)
        return Tuned(
            weights=interpolation.between(self._start, history.weights, found.alpha),
            predictions=Predictions(found.outputs, history.predictions.rows),
            comparison=comparison,
            alpha=found.alpha,
            accuracies=found.accuracies,
            settings=settings,
            epochs=history.epochs,
            plan=plan,
            runs=runs,
            race_seconds=race_seconds,
            seconds=time.monotonic() - started,
            stopped=history.stopped,
        )

    def _fit(self, settings: TuningSettings, epochs: int, momenta: Sequence[float]) -> History:
        # The last epoch counts: the schedule ends there, and the choice of the best of several epochs by validation
        # images would favour the tuned network in the comparison.
        inputs = self._inputs
        snapshots.assign(inputs.network.trained_variables, self._start)
        variant = Variant(tuning_settings.tuned_part(inputs.network, settings.mode), keep_last=True)
        if settings.mode.batch_statistics:
            variables = tuning_settings.statistics(inputs.network)
            moving = MovingStatistics(variables, [variable.numpy() for variable in variables], momenta)
            variant = replace(variant, evaluation=moving.corrected)
        return fitting.fit(
            inputs.network,
            replace(inputs.values, learning_rate=settings.learning_rate, epochs=epochs),
            inputs.images.training,
            inputs.images.validation,
            inputs.images.class_names,
            replace(inputs.session, checkpoints=self._store("tuning")),
            evaluator=self._evaluator,
            variant=variant,
        )

    def _chosen(self, tuned: Sequence[NDArray[Any]], last: Predictions) -> tuple[Interpolation, Comparison]:
        """Choose alpha, and compare with stage 0; after a stop only of both ends, whose outputs are known."""
        inputs, labels = self._inputs, self._inputs.images.validation.labels[last.rows]
        head = inputs.stage0.outputs[last.rows]
        outputs = {interpolation.HEAD: head, interpolation.TUNED: last.outputs}
        if not stopping.stop_requested_on_any_host(inputs.session.stop, inputs.session.cluster):
            log(
                f"Interpolation with the network of stage 0: {len(interpolation.BETWEEN)} passes over "
                f"{len(last.rows):,} validation images."
            )
            outputs |= interpolation.outputs_between(inputs, self._start, tuned, self._evaluator)
        found = interpolation.choose(outputs, labels, inputs.values.random_seed)
        return found, choice.compare(head, found.cross_fitted, labels)
