"""Epochs: train, measure, print, keep the best, stop early, stop when told to."""

import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras
from numpy.typing import NDArray

from image_classifier.contract import metrics as metric_lines
from image_classifier.contract.errors import UserError
from image_classifier.contract.hyperparameters import Hyperparameters
from image_classifier.training import classifier
from image_classifier.training.progress import say


@dataclass(frozen=True)
class Rows:
    """Features or pixels with their labels, in memory or in a scratch file."""

    inputs: NDArray[Any]
    labels: NDArray[np.int64]


@dataclass
class History:
    """What every epoch measured, and which was best."""

    epochs: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int | None = None
    seconds: float = 0.0
    stopped: str | None = None
    """Why training ended before the last epoch; None when it did not."""

    @property
    def best(self) -> dict[str, float]:
        """The measurements of the best epoch."""
        return self.epochs[self.best_epoch or 0]


def fit(
    model: tf_keras.Model,
    values: Hyperparameters,
    training: Rows,
    validation: Rows,
    classes: int,
    stop: threading.Event,
) -> History:
    """Train `model` in place; it ends with the weights of the epoch whose validation metric was best.

    Raises:
        UserError: The loss became NaN or infinite before any epoch was measured.
    """
    tf_keras.utils.set_random_seed(values.random_seed)
    model.compile(
        classifier.build_optimizer(values),
        classifier.build_loss(values),
        metrics=classifier.build_metrics(values, classes),
    )
    steps = math.ceil(len(training.labels) / values.batch_size)
    history = History()
    callbacks = [_Epochs(history, values, steps), _Stop(history, values, stop)]
    started = time.monotonic()
    model.fit(
        dataset(training, values, classes, shuffle=True),
        validation_data=dataset(validation, values, classes, shuffle=False),
        epochs=values.epochs,
        verbose=0,
        callbacks=callbacks,
    )
    history.seconds = time.monotonic() - started
    if history.best_epoch is None and history.stopped and history.stopped != SIGTERM:
        raise UserError(history.stopped)
    if history.stopped:
        say(f"Training ended early: {history.stopped}")
    return history


SIGTERM = "told to stop (SIGTERM)"


def dataset(rows: Rows, values: Hyperparameters, classes: int, shuffle: bool) -> Any:
    """Return batches of (inputs, targets); a shuffled one is drawn anew, by the seed, each epoch."""
    count = len(rows.labels)
    indices = tf.data.Dataset.range(count)
    if shuffle:
        indices = indices.shuffle(count, seed=values.random_seed, reshuffle_each_iteration=True)
    specification = tf.TensorSpec((None, *rows.inputs.shape[1:]), rows.inputs.dtype)

    def gather(batch: Any) -> tuple[Any, Any]:
        inputs = tf.numpy_function(lambda chosen: rows.inputs[chosen], [batch], specification.dtype, stateful=False)
        labels = tf.gather(tf.constant(rows.labels), batch)
        return tf.ensure_shape(inputs, specification.shape), classifier.targets(labels, values, classes)

    return indices.batch(values.batch_size).map(gather, num_parallel_calls=1).prefetch(2)


def monitored(values: Hyperparameters) -> str:
    """Return the name of the metric that decides which epoch is best; larger is better."""
    return f"val_{values.eval_metric}" if values.binary_mode else "val_accuracy"


class _Epochs(tf_keras.callbacks.Callback):  # type: ignore[misc]
    """Print each epoch, remember the best weights, stop when there is no progress."""

    def __init__(self, history: History, values: Hyperparameters, steps: int) -> None:
        super().__init__()
        self._history, self._values, self._steps = history, values, steps
        self._best = self._reference = -math.inf
        self._waited = 0
        self._weights: Sequence[Any] | None = None

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._started = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        if self._history.stopped and not all(math.isfinite(value) for value in logs.values()):
            return
        self._history.epochs.append(dict(logs))
        say(metric_lines.epoch_line(self._steps, self._steps, time.monotonic() - self._started, logs))
        value = logs[monitored(self._values)]
        if value > self._best:
            self._best = value
            self._history.best_epoch = len(self._history.epochs) - 1
            self._weights = self.model.get_weights()
        self._stop_early(value)

    def _stop_early(self, value: float) -> None:
        # As Keras counts: an epoch is progress when it beats the last progress by more than min_delta.
        if value > self._reference + self._values.early_stopping_min_delta:
            self._reference, self._waited = value, 0
            return
        self._waited += 1
        if self._values.early_stopping and self._waited >= self._values.early_stopping_patience:
            self._history.stopped = f"{monitored(self._values)} made no progress for {self._waited} epochs"
            self.model.stop_training = True

    def on_train_end(self, logs: Any = None) -> None:
        if self._weights is not None:
            self.model.set_weights(self._weights)


class _Stop(tf_keras.callbacks.Callback):  # type: ignore[misc]
    """End after the running step on SIGTERM or when the loss is no number any more."""

    def __init__(self, history: History, values: Hyperparameters, stop: threading.Event) -> None:
        super().__init__()
        self._history, self._values, self._stop = history, values, stop
        self._epoch = 0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._epoch = epoch + 1

    def on_train_batch_end(self, batch: int, logs: dict[str, float]) -> None:
        if self._stop.is_set():
            self._history.stopped = SIGTERM
            self.model.stop_training = True
        elif not math.isfinite(logs["loss"]):
            self._history.stopped = (
                f"The loss became {logs['loss']} in epoch {self._epoch}, step {batch + 1}, at learning_rate="
                f"{self._values.learning_rate:g}. Lower learning_rate, or look for damaged pictures."
            )
            self.model.stop_training = True


def probabilities(model: Callable[..., Any], inputs: NDArray[Any], values: Hyperparameters) -> NDArray[np.float32]:
    """Return probabilities float32 (n, classes), or (n, 1) in binary mode, of a head or a whole model."""
    run = tf.function(lambda batch: model(batch, training=False), reduce_retracing=True)
    parts = []
    for start in range(0, len(inputs), values.batch_size):
        output = run(tf.constant(inputs[start : start + values.batch_size]))
        parts.append((output if values.binary_mode else tf.nn.softmax(output)).numpy())
    return np.concatenate(parts)
