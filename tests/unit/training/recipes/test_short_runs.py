"""Runs of a few steps: what each setting changes, the moving statistics, and which setting is better."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from image_classifier.training.recipes import race
from image_classifier.training.recipes.race import Parts
from image_classifier.training.recipes.settings import LAST_THIRD, SCALES, WHOLE, Mode, TuningSettings
from tests.unit.training.recipes import tuning_small

NAMES = (
    *("head kernel", "head bias", "convolution", "bias", "scale", "offset", "second convolution", "second bias"),
    *("mean", "variance"),
)
"""The variables of the small network, in their order."""
HEAD = {"head kernel", "head bias"}
CHANGED = {
    Mode(WHOLE, True): set(NAMES),
    Mode(WHOLE, False): set(NAMES) - {"mean", "variance"},
    Mode(LAST_THIRD, False): {*HEAD, "second convolution", "second bias"},
    Mode(SCALES, False): {*HEAD, "bias", "scale", "offset", "second bias"},
}
"""By mode."""


@pytest.fixture(scope="module")
def inputs(backbone_folder: Path) -> Any:
    """A small network to tune."""
    return tuning_small.inputs(backbone_folder)


@pytest.fixture(scope="module")
def runs(inputs: Any) -> Any:
    """Short runs from that network."""
    from image_classifier.training.recipes.short_runs import ShortRuns

    parts = race.split(inputs.images.training.labels, 1)
    return ShortRuns(inputs, tuning_small.weights(inputs.network), parts)


@pytest.mark.every
@pytest.mark.parametrize("mode", CHANGED, ids=str)
def test_only_the_tuned_part_changes(inputs: Any, runs: Any, mode: Mode) -> None:
    """Given a mode -> a step at rate 0 changes no weight, and a run changes exactly its variables."""
    start = tuning_small.weights(inputs.network)
    runs.step_seconds(mode)
    still = [name for name, one, other in _paired(start, inputs) if not np.array_equal(one, other)]
    assert set(still) <= {"mean", "variance"}
    runs.score(TuningSettings(mode, 0.01), 3)
    changed = {name for name, one, other in _paired(start, inputs) if not np.array_equal(one, other)}
    assert changed == CHANGED[mode]
    runs.score(None)
    assert all(np.array_equal(one, other) for _, one, other in _paired(start, inputs))


def test_a_better_learning_rate_scores_better(runs: Any) -> None:
    """Given the rates 0, 0.01 and 1e6 -> the first scores as the start, the second better, the third at most as bad."""
    rates = [TuningSettings(Mode(WHOLE, False), rate) for rate in (0.0, 0.01, 1e6)]
    start = runs.score(None)
    none, good, wild = (runs.score(one, 24) for one in rates)
    assert none == pytest.approx(start, abs=1e-6)
    assert good < 0.8 * start
    assert wild > good or math.isinf(wild)
    # From the same start and with a new optimizer, whatever ran before.
    assert runs.score(rates[1], 24) == pytest.approx(good, abs=1e-4)


def test_class_without_a_row_in_the_race(inputs: Any) -> None:
    """Given class_weights=auto and parts without a row of one class -> the weights are those of all training images."""
    from image_classifier.training.recipes.short_runs import ShortRuns

    weighted = replace(inputs, values=replace(inputs.values, class_weights="auto"))
    two = np.flatnonzero(inputs.images.training.labels < 2)
    runs = ShortRuns(weighted, tuning_small.weights(inputs.network), Parts(two[8:], two[:8]))
    assert math.isfinite(runs.score(None))


def test_momentum_is_measured_and_the_start_is_taken_out_of_the_statistics(inputs: Any, runs: Any) -> None:
    """Given the momentum 0.9 -> it is found, and three steps at rate 0 leave the average of the batches alone."""
    from image_classifier.training.recipes import settings
    from image_classifier.training.recipes.moving_statistics import MovingStatistics

    mode, variables = Mode(WHOLE, True), settings.statistics(inputs.network)
    runs.score(None)
    start = [variable.numpy() for variable in variables]
    momenta = runs.momenta(mode)
    assert momenta == [0.9, 0.9]
    assert all(np.array_equal(one, variable.numpy()) for one, variable in zip(start, variables, strict=True))
    runs.score(TuningSettings(mode, 0.0), 60, momenta)
    moving = [variable.numpy() for variable in variables]
    # After 60 steps 0.9 ** 60 = 0.2 % of the start is left; after 3 steps 73 % would be.
    runs.score(TuningSettings(mode, 0.0), 3, momenta)
    few = [variable.numpy() for variable in variables]
    with MovingStatistics(variables, start, momenta).corrected(3):
        corrected = [variable.numpy() for variable in variables]
    for one, raw, target, now, before in zip(corrected, few, moving, variables, start, strict=True):
        assert np.abs(one - target).max() < 0.3 * np.abs(raw - target).max()
        np.testing.assert_array_equal(now.numpy(), raw)
        np.testing.assert_allclose(raw, 0.9**3 * before + (1 - 0.9**3) * one, rtol=1e-4, atol=1e-5)


def test_what_is_no_moving_average_is_not_corrected() -> None:
    """Given a counter, a variable that no step changes and one with several rates -> momentum 1, and no correction."""
    import tensorflow as tf

    from image_classifier.training.recipes.moving_statistics import MovingStatistics, measure_momenta

    counter, still, mixed = tf.Variable(5.0), tf.Variable([1.0, 2.0]), tf.Variable([1.0, 1.0])

    def update() -> None:
        counter.assign_add(1.0)
        mixed.assign(mixed * [0.9, 0.5] + 1.0)

    variables = [counter, still, mixed]
    momenta = measure_momenta(variables, update)
    assert momenta == [1.0, 1.0, 1.0]
    start = [variable.numpy() for variable in variables]
    with MovingStatistics(variables, start, momenta).corrected(3):
        assert [variable.numpy().tolist() for variable in variables] == [5.0, [1.0, 2.0], [1.0, 1.0]]


def _paired(start: Any, inputs: Any) -> Any:
    return zip(NAMES, start, tuning_small.weights(inputs.network), strict=True)
