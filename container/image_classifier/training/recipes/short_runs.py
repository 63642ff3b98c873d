"""Short trainings from one start: what a step costs, and what a setting of the race does in a few steps."""

import itertools
import math
import statistics as averages
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from image_classifier.training.data import batches
from image_classifier.training.data.batches import Batch
from image_classifier.training.loop import class_weights, learning_rates, snapshots
from image_classifier.training.loop.scoring import Evaluator
from image_classifier.training.loop.steps import Steps
from image_classifier.training.recipes import settings as tuning_settings
from image_classifier.training.recipes.moving_statistics import MovingStatistics, measure_momenta
from image_classifier.training.recipes.race import Parts
from image_classifier.training.recipes.settings import Mode, TuningSettings
from image_classifier.training.recipes.tuning_inputs import TuningInputs
from image_classifier.training.stopping import JobStopped

TIMED_STEPS = 3


class ShortRuns:
    """Runs of a few steps each, all from the same weights; runs of the same mode share a compiled step."""

    def __init__(self, inputs: TuningInputs, start: Sequence[NDArray[Any]], parts: Parts) -> None:
        """Take the values of `Network.trained_variables` to start from, and the rows to train on and to judge by."""
        network, images, values, session = inputs.network, inputs.images, inputs.values, inputs.session
        self._network, self._start, self._values, self._session = network, start, values, session
        self._training, self._judging = images.training.part(parts.training), images.training.part(parts.judging)
        # Of all training images, as the tuning counts them: a rare class may have no row among those that race.
        counts = np.bincount(images.training.labels, minlength=len(images.class_names))
        self._weights = class_weights.weights(values, images.class_names, counts.tolist())
        self._evaluator = Evaluator(network, values, session.cluster)
        # Of each mode, with the state of a new optimizer.
        self._steps: dict[Mode, tuple[Steps, list[NDArray[Any]]]] = {}
        self._statistics = tuning_settings.statistics(network)
        snapshots.assign(network.trained_variables, start)
        self._start_statistics = [variable.numpy() for variable in self._statistics]

    def score(self, settings: TuningSettings | None, count: int = 0, momenta: Sequence[float] = ()) -> float:
        """Train for `count` steps from the start, and return the Brier score of the judging rows; None: of the start.

        Infinite when the loss is. Collective.

        Raises:
            JobStopped: A stop was requested on any host.
        """
        snapshots.assign(self._network.trained_variables, self._start)
        if settings is None:
            return self._judge()
        values = replace(self._values, learning_rate=settings.learning_rate)
        steps = self._ready(settings.mode)
        for step, batch in enumerate(itertools.islice(self._batches(), count)):
            if not math.isfinite(self._train(steps, batch, step, learning_rates.rate(values, step, count))):
                return math.inf
        if not settings.mode.batch_statistics:
            return self._judge()
        with MovingStatistics(self._statistics, self._start_statistics, momenta).corrected(count):
            return self._judge()

    def step_seconds(self, mode: Mode) -> float:
        """Return the median duration of a step, measured on the chief, after the one that compiles it. Collective.

        At a learning rate of 0, so that the weights stay.

        Raises:
            NotDeterministic: This mode draws random numbers, and deterministic=True does not allow it.
            JobStopped: A stop was requested on any host.
        """
        snapshots.assign(self._network.trained_variables, self._start)
        steps, found, seconds = self._ready(mode), self._batches(), []
        self._train(steps, next(found), 0, 0.0)
        for _ in range(TIMED_STEPS):
            started = time.monotonic()
            self._train(steps, next(found), 0, 0.0)
            seconds.append(time.monotonic() - started)
        return self._of_chief(averages.median(seconds))

    def row_seconds(self) -> float:
        """Return the duration of a prediction per row, measured on the chief after the first batch. Collective."""
        size, count = self._values.batch_size, len(self._judging)
        self._evaluator.predict(self._judging.part(np.arange(min(count, size))))
        # Other rows, which are still to be decoded, where there are enough.
        rows = np.arange(size, 2 * size) if count >= 2 * size else np.arange(min(count, size))
        started = time.monotonic()
        self._evaluator.predict(self._judging.part(rows))
        return self._of_chief((time.monotonic() - started) / max(len(rows), 1))

    def momenta(self, mode: Mode) -> list[float]:
        """Return the momentum of each moving statistic, see `measure_momenta`. Collective."""
        snapshots.assign(self._network.trained_variables, self._start)
        steps, batch = self._ready(mode), next(self._batches())

        def update() -> None:
            self._train(steps, batch, 0, 0.0)

        return measure_momenta(self._statistics, update)

    def _ready(self, mode: Mode) -> Steps:
        """Return the compiled steps of a mode, with the optimizer as new."""
        if mode not in self._steps:
            part = tuning_settings.tuned_part(self._network, mode)
            cluster, precision = self._session.cluster, self._session.precision
            made = Steps(self._network, self._values, self._weights, cluster, precision, part)
            self._steps[mode] = made, [variable.numpy() for variable in made.variables]
        steps, state = self._steps[mode]
        snapshots.assign(steps.variables, state)
        return steps

    def _train(self, steps: Steps, batch: Batch, step: int, rate: float) -> float:
        outcome = steps.train(batch, step, rate, (self._session.stop.is_set(), False), train_backbone=True)
        if outcome.flags[0]:
            self._session.stop.set_by_another_host()
            raise JobStopped
        return outcome.loss

    def _batches(self) -> Iterator[Batch]:
        for epoch in itertools.count():
            found = batches.epoch_batches(self._training, self._values, self._session.cluster, epoch)
            yield from (batch for batch in found if len(batch.labels))

    def _judge(self) -> float:
        predictions = self._evaluator.predict(self._judging, self._session.raise_if_stopped)
        return brier(predictions.probabilities(self._values), self._judging.labels[predictions.rows])

    def _of_chief(self, seconds: float) -> float:
        return float(self._session.cluster.gather_json(seconds)[0])


def brier(probabilities: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """Return the mean squared distance of probabilities from the true class, 0…2 (Brier, 1950).

    It changes with every image, where accuracy takes steps of one image, and no single confident mistake dominates it,
    as it does the cross-entropy.
    """
    if probabilities.shape[1] == 1:
        return float(2 * np.square(probabilities[:, 0] - labels).mean())
    expected = np.eye(probabilities.shape[1], dtype=np.float32)[labels]
    return float(np.square(probabilities - expected).sum(axis=1).mean())
