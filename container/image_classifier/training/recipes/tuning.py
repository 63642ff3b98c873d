"""Stage 1: tune the network from the head of stage 0 (LP-FT: Kumar and others, arXiv 2202.10054).

Measure steps, plan, race the settings, train with the winner's, interpolate with the network of stage 0, and compare.
After a short race two networks are trained, see `race.finalists`. The plan and every run of the race are stored in the
checkpoint store "race", the trainings in "tuning" and "tuning-2".
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
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
from image_classifier.training.recipes.interpolation import Mixture
from image_classifier.training.recipes.moving_statistics import MovingStatistics
from image_classifier.training.recipes.race import Run
from image_classifier.training.recipes.settings import TuningSettings
from image_classifier.training.recipes.stored_race import StoredRace
from image_classifier.training.recipes.tuning_inputs import TuningInputs
from image_classifier.training.stopping import JobStopped

STORES = ("tuning", "tuning-2")
"""Checkpoint stores of the trainings."""
Store = Callable[[str], Checkpoints | None]
"""Opens the checkpoint store of a name on the chief; returns None on other hosts, and without a checkpoint folder."""


@dataclass(frozen=True)
class Finalist:
    """A network that was trained from the head of stage 0."""

    settings: TuningSettings
    history: History
    predictions: Predictions
    """Of its last epoch."""
    accuracies: Mapping[float, float] = field(default_factory=dict)
    """By alpha, on the validation images that are compared; known after the interpolation."""


@dataclass(frozen=True)
class Tuned:
    """A tuned network."""

    weights: Sequence[NDArray[Any]]
    """Values of `Network.trained_variables`: those of stage 0 and of the last epoch, interpolated."""
    predictions: Predictions
    """Its own for the readable validation rows."""
    comparison: Comparison
    """With the head of stage 0; it counts the choice of network and alpha, see `interpolation.choose`."""
    alpha: float
    """Share of the tuned weights."""
    chosen: Finalist
    others: Sequence[Finalist]
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
    """Return the hyperparameters of stage 1, also for building its network; the race sets the learning rate.

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
        entrants = race.finalists(plan, runs)
        if not entrants:
            return NotTuned("the loss of every setting in the last rung of the race became infinite")
        race_seconds = time.monotonic() - started
        trained = self._trained(plan, entrants, raced.momenta)
        if not trained:
            which = " and with ".join(str(plan.settings[one]) for one in entrants)
            return NotTuned(f"the loss became infinite in the first epoch with {which}")
        return self._chosen(trained, plan, runs, started, race_seconds)

    def _trained(self, plan: Plan, entrants: Sequence[int], momenta: Sequence[float]) -> list[Finalist]:
        """Train with each of the settings, and return what did not diverge; after a stop, what there is.

        Raises:
            JobStopped: The job was stopped before an epoch of the first network ended.
        """
        found: list[Finalist] = []
        for store, entrant in zip(STORES, entrants, strict=False):
            settings = plan.settings[entrant]
            epochs = (plan.epochs if len(entrants) == 1 else plan.shared_epochs)[entrant]
            log(f"Tuning: {epochs} epochs with {settings}.")
            try:
                history = self._fit(store, settings, epochs, momenta)
            except Diverged:
                continue
            if history.predictions is not None:
                found.append(Finalist(settings, history, history.predictions))
            elif not found:
                raise JobStopped
            if self._stop_requested():
                break
        return found

    def _fit(self, store: str, settings: TuningSettings, epochs: int, momenta: Sequence[float]) -> History:
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
            replace(inputs.session, checkpoints=self._store(store)),
            evaluator=self._evaluator,
            variant=variant,
        )

    def _chosen(
        self, trained: Sequence[Finalist], plan: Plan, runs: Sequence[Run], started: float, race_seconds: float
    ) -> Tuned:
        """Choose network and alpha, and compare with stage 0; after a stop only of ends, whose outputs are known."""
        inputs, rows = self._inputs, trained[-1].predictions.rows
        head, compared = inputs.stage0.outputs[rows], inputs.images.compared(rows)
        labels = inputs.images.validation.labels[rows][compared]
        outputs = {Mixture(interpolation.HEAD): head}
        outputs |= {Mixture(interpolation.TUNED, index): one.predictions.outputs for index, one in enumerate(trained)}
        if not self._stop_requested():
            outputs |= self._between(trained, len(rows))
        some = {mixture: of_mixture[compared] for mixture, of_mixture in outputs.items()}
        found = interpolation.choose(some, labels, inputs.values.random_seed)
        comparison = choice.compare(head[compared], found.cross_fitted, labels)
        finalists = [
            replace(one, accuracies=self._accuracies(found.accuracies, index)) for index, one in enumerate(trained)
        ]
        chosen, alpha = finalists[found.best.network], found.best.alpha
        return Tuned(
            weights=interpolation.between(self._start, chosen.history.weights, alpha),
            predictions=Predictions(outputs[found.best], rows),
            comparison=replace(comparison, copies=int((~compared).sum())),
            alpha=alpha,
            chosen=chosen,
            others=[one for one in finalists if one is not chosen],
            plan=plan,
            runs=runs,
            race_seconds=race_seconds,
            seconds=time.monotonic() - started,
            stopped=next((one.history.stopped for one in finalists if one.history.stopped), None),
        )

    def _between(self, trained: Sequence[Finalist], rows: int) -> dict[Mixture, NDArray[np.float32]]:
        passes = len(interpolation.BETWEEN) * len(trained)
        log(f"Interpolation with the network of stage 0: {passes} passes over {rows:,} validation images.")
        found: dict[Mixture, NDArray[np.float32]] = {}
        for index, one in enumerate(trained):
            outputs = interpolation.outputs_between(self._inputs, self._start, one.history.weights, self._evaluator)
            found |= {Mixture(alpha, index): of_alpha for alpha, of_alpha in outputs.items()}
        return found

    def _stop_requested(self) -> bool:
        return stopping.stop_requested_on_any_host(self._inputs.session.stop, self._inputs.session.cluster)

    @staticmethod
    def _accuracies(found: Mapping[Mixture, float], network: int) -> dict[float, float]:
        return {
            one.alpha: accuracy
            for one, accuracy in found.items()
            if one.network == network or one.alpha == interpolation.HEAD
        }
