"""The training loop: epochs, validation, best weights, checkpoints, and when to stop."""

import math
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from image_classifier.contract import metrics as metric_lines
from image_classifier.contract.errors import UserError
from image_classifier.contract.hyperparameters import Hyperparameters
from image_classifier.training.checkpoints.store import Checkpoints
from image_classifier.training.data import batches
from image_classifier.training.data.batches import Rows
from image_classifier.training.distributed.cluster import Cluster, single_host
from image_classifier.training.loop import class_weights, learning_rates, snapshots
from image_classifier.training.loop.scoring import Evaluator, Predictions
from image_classifier.training.loop.snapshots import Best, Progress
from image_classifier.training.loop.steps import Steps, TunedPart
from image_classifier.training.model.classifier import Network
from image_classifier.training.progress import log, log_metrics
from image_classifier.training.stopping import JobStopped, StopSignal, raise_if_set


@dataclass(frozen=True)
class Session:
    """Environment of a training run."""

    stop: StopSignal = field(default_factory=StopSignal)
    cluster: Cluster = field(default_factory=single_host)
    checkpoints: Checkpoints | None = None
    """None when there is no checkpoint folder, and on all hosts but the chief."""
    precision: str = "off"
    """Result of `precision.choose`."""

    def raise_if_stopped(self) -> None:
        """Leave a pass over images when a stop is requested; several hosts finish it, to stay in step.

        Raises:
            JobStopped: A stop was requested.
        """
        if self.cluster.count == 1:
            raise_if_set(self.stop)


@dataclass(frozen=True)
class History:
    """Result of training."""

    epochs: list[dict[str, float]]
    best_epoch: int | None
    """Index of the epoch whose weights the network has now; None when no epoch finished."""
    predictions: Predictions | None
    """Predictions of that epoch for the validation rows."""
    weights: Sequence[NDArray[Any]]
    """Values of `Network.trained_variables` after that epoch."""
    seconds: float
    stopped: str | None
    """Why training stopped before the last epoch; None if it did not."""

    @property
    def best(self) -> dict[str, float]:
        """Metrics of the best epoch."""
        return self.epochs[self.best_epoch or 0]


@dataclass(frozen=True)
class Variant:
    """What a recipe may change in the loop."""

    part: TunedPart | None = None
    """What is trained of the backbone; None: all of it, in training mode."""
    keep_last: bool = False
    """Whether the last epoch is kept, instead of the one with the best validation metric."""
    evaluation: Callable[[int], AbstractContextManager[None]] = lambda steps: nullcontext()
    """In its context a network is validated, and its weights are kept, after so many steps."""


class Diverged(UserError):  # noqa: N818 - a sentence for the user, as its base
    """The loss became NaN or infinite in the first epoch."""


PLAIN = Variant()


def monitored_metric(values: Hyperparameters) -> str:
    """Return the name of the validation metric that selects the best epoch; larger is better."""
    return f"val_{values.eval_metric}" if values.binary_mode else "val_accuracy"


def fit(
    network: Network,
    values: Hyperparameters,
    training: Rows,
    validation: Rows,
    class_names: Sequence[str],
    session: Session,
    check: Callable[[], None] = lambda: None,
    evaluator: Evaluator | None = None,
    variant: Variant = PLAIN,
) -> History:
    """Train `network` in place; it ends with the weights of the epoch with the best validation metric.

    `check` is called after all training images, and after all validation images, of an epoch were read; it may raise.

    Raises:
        Diverged: The loss became NaN or infinite in the first epoch.
        UserError: A class weight names an unknown class.
    """
    counts = np.bincount(training.labels, minlength=len(class_names))
    weights = class_weights.weights(values, class_names, counts.tolist())
    steps = Steps(network, values, weights, session.cluster, session.precision, variant.part)
    evaluator = evaluator or Evaluator(network, values, session.cluster)
    return _Loop(steps, evaluator, network, values, training, validation, session, check, variant).run()


class _Loop:
    def __init__(
        self,
        steps: Steps,
        evaluator: Evaluator,
        network: Network,
        values: Hyperparameters,
        training: Rows,
        validation: Rows,
        session: Session,
        check: Callable[[], None],
        variant: Variant,
    ) -> None:
        self._steps, self._evaluator, self._network = steps, evaluator, network
        self._values, self._session, self._check, self._variant = values, session, check, variant
        self._parts = {"training": training, "validation": validation}
        self._steps_per_epoch = batches.steps_per_epoch(training, values, session.cluster)
        self._variables = [*network.trained_variables, *steps.variables]
        self._progress = Progress()
        self._best: Best | None = None
        self._stopped: str | None = None
        self._diverged: str | None = None
        self._saved = time.monotonic()
        # Only the chief writes checkpoints, and saving is collective: all hosts must know whether it does.
        self._has_checkpoints = session.cluster.any_host(session.checkpoints is not None)

    def run(self) -> History:
        """Train, from the newest checkpoint if there is one; the network ends with the best epoch's weights.

        Raises:
            Diverged: The loss became NaN or infinite in the first epoch.
        """
        started = time.monotonic()
        self._resume()
        progress = self._progress
        while progress.epoch < self._values.epochs and not (self._finished or progress.stopped_early):
            self._run_epoch()
        if self._diverged and self._best is None:
            raise Diverged(self._diverged)
        stopped = self._diverged or self._stopped or progress.stopped_early
        if stopped:
            log(f"Training stopped early: {stopped}")
        if self._best:
            snapshots.assign(self._network.trained_variables, self._best.weights)
        return History(
            progress.epochs,
            progress.best_epoch,
            self._best.predictions if self._best else None,
            self._best.weights if self._best else (),
            time.monotonic() - started,
            stopped,
        )

    def _resume(self) -> None:
        found = snapshots.newest(self._session.checkpoints, self._session.cluster) if self._has_checkpoints else None
        if found is None:
            return
        self._progress, self._best = snapshots.restore(found, self._variables)
        for name, rows in self._parts.items():
            rows.mark_unreadable(self._progress.unreadable.get(name, {}))
        progress, measured = self._progress, f"{len(self._progress.epochs)} epochs measured before"
        if progress.epoch >= self._values.epochs:
            log(f"Resuming from a checkpoint: training had finished, {measured}.")
            return
        where = f"epoch {progress.epoch + 1}, after step {progress.step} of {self._steps_per_epoch}"
        log(f"Resuming from a checkpoint: {where}, {measured}.")

    def _run_epoch(self) -> None:
        progress, values, started = self._progress, self._values, time.monotonic()
        if not progress.step:
            self._steps.reset_metrics()
        before = started
        for batch in batches.epoch_batches(
            self._parts["training"], values, self._session.cluster, progress.epoch, progress.step
        ):
            if len(batch.labels):
                self._step(batch, before)
            else:
                progress.step += 1
            if self._finished:
                return
            before = time.monotonic()
        self._check()
        try:
            with self._variant.evaluation(progress.global_step):
                self._validate(started)
        except JobStopped:
            self._stop()
            return
        self._save()

    def _validate(self, started: float) -> None:
        validation, total = self._parts["validation"], self._steps_per_epoch
        logs = self._steps.read_metrics()
        predictions = self._evaluator.predict(validation, self._session.raise_if_stopped)
        self._check()
        measured = self._evaluator.score(predictions, validation.labels)
        logs |= metric_lines.of_validation(measured)
        log_metrics(metric_lines.epoch_line(total, total, time.monotonic() - started, logs))
        self._record_epoch(logs, predictions)

    def _step(self, batch: batches.Batch, started: float) -> None:
        progress, values, total = self._progress, self._values, self._steps_per_epoch
        step = progress.epoch * total + progress.step
        rate = learning_rates.rate(values, step, values.epochs * total)
        outcome = self._steps.train(batch, step, rate, self._flags(), self._trains_backbone())
        progress.step, progress.global_step = progress.step + 1, progress.global_step + 1
        if not math.isfinite(outcome.loss):
            self._diverged = (
                f"The loss became {outcome.loss} in epoch {progress.epoch + 1}, step {progress.step}, at learning_rate="
                f"{values.learning_rate:g}. Lower learning_rate, or look for corrupt images."
            )
            return
        stop_requested, checkpoint_due = outcome.flags
        out_of_time = self._session.stop.after_step(time.monotonic() - started)
        # Several hosts stop after the same step: a request of one host reaches all of them with the next step.
        if stop_requested or (out_of_time and self._session.cluster.count == 1):
            self._stop()
        elif checkpoint_due:
            self._save()

    @property
    def _finished(self) -> bool:
        return bool(self._stopped or self._diverged)

    def _flags(self) -> tuple[bool, bool]:
        interval = 60 * self._values.checkpoint_interval
        elapsed = time.monotonic() - self._saved
        checkpoint_due = self._session.cluster.is_chief and bool(interval) and elapsed >= interval
        return self._session.stop.is_set(), checkpoint_due

    def _trains_backbone(self) -> bool:
        return self._network.backbone_trainable and self._progress.epoch >= self._values.unfreeze_after

    def _stop(self) -> None:
        self._session.stop.set_by_another_host()
        self._stopped = self._session.stop.reason
        self._save()

    def _record_epoch(self, logs: dict[str, float], predictions: Predictions) -> None:
        progress, value = self._progress, logs[monitored_metric(self._values)]
        if progress.best_epoch is None or self._variant.keep_last or value > self._best_value():
            progress.best_epoch = len(progress.epochs)
            weights = [variable.numpy() for variable in self._network.trained_variables]
            self._best = Best(weights, predictions)
        progress.epochs.append(logs)
        progress.epoch, progress.step = progress.epoch + 1, 0
        # As in Keras: an epoch counts as progress when it exceeds the last progress by more than min_delta.
        if progress.reference is None or value > progress.reference + self._values.early_stopping_min_delta:
            progress.reference, progress.waited = value, 0
            return
        progress.waited += 1
        if self._values.early_stopping and progress.waited >= self._values.early_stopping_patience:
            progress.stopped_early = f"{monitored_metric(self._values)} did not improve for {progress.waited} epochs"

    def _best_value(self) -> float:
        progress = self._progress
        return progress.epochs[progress.best_epoch or 0][monitored_metric(self._values)]

    def _save(self) -> None:
        self._saved = time.monotonic()
        if not self._has_checkpoints:
            return
        self._progress.unreadable = {name: rows.unreadable for name, rows in self._parts.items()}
        snapshots.save(self._session.checkpoints, self._progress, self._variables, self._best)
