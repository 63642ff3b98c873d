"""Stage 1 as a whole on a small network: the choice, killed and resumed runs, and stops."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from image_classifier.training.checkpoints.store import Checkpoints
from image_classifier.training.recipes.budget import Plan
from image_classifier.training.recipes.copied_rows import CopiedRows
from image_classifier.training.recipes.settings import SCALES, WHOLE, Mode, TuningSettings
from image_classifier.training.stopping import StopSignal
from tests.unit.training.recipes import tuning_small
from tests.unit.training.resuming import DyingCheckpoints, Killed

ENTRANTS = tuple(TuningSettings(Mode(WHOLE, True), rate) for rate in (0.0, 0.01, 0.003))
"""Of one mode, so that one step is compiled; the first learns nothing."""


@pytest.fixture(scope="module", autouse=True)
def small_plan() -> Iterator[None]:
    """Three settings for 16 steps each, then 8 epochs of 6 steps."""
    from image_classifier.training.recipes import budget, settings

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(settings, "_CANDIDATES", ENTRANTS)
        patched.setattr(budget, "_SIZES", ((3, 16),))
        patched.setattr(budget, "EPOCHS", (8, 2))
        yield


@pytest.fixture(scope="module")
def tune(backbone_folder: Path) -> Callable[..., Any]:
    """Return what tunes a small network, and returns the result and the inputs, whose network it changed."""

    def run(stores: Callable[[str], Any] = lambda name: None, seconds: float = 600.0, **given: Any) -> Any:
        from image_classifier.training.recipes import tuning

        inputs = tuning_small.inputs(backbone_folder, **given)
        return tuning.tune(inputs, seconds, stores), inputs

    return run


def test_planted_better_setting_wins_and_the_network_with_it(tune: Callable[..., Any]) -> None:
    """Given a head that guesses, the rate 0 and others -> another rate wins, and its network has what is returned."""
    from image_classifier.training.loop.scoring import Evaluator

    found, inputs = tune()
    assert found.chosen.settings.learning_rate in (0.01, 0.003)
    assert found.comparison.tuned_wins
    assert found.comparison.tuned_accuracy >= found.comparison.head_accuracy + 0.3
    assert found.alpha > 0
    assert sorted(found.chosen.accuracies) == [0, 0.25, 0.5, 0.75, 1]
    assert len(found.chosen.history.epochs) == 8
    assert found.chosen.history.epochs[-1]["val_accuracy"] == pytest.approx(found.chosen.accuracies[1])
    for one, other in zip(found.weights, tuning_small.weights(inputs.network), strict=True):
        np.testing.assert_array_equal(one, other)
    again = Evaluator(inputs.network, inputs.values, inputs.session.cluster).predict(inputs.images.validation)
    np.testing.assert_array_equal(again.rows, found.predictions.rows)
    np.testing.assert_allclose(again.outputs, found.predictions.outputs, rtol=1e-5, atol=1e-5)


@pytest.mark.every
def test_killed_and_resumed_gives_the_same_bits(tune: Callable[..., Any], tmp_path: Path) -> None:
    """Given a job that is killed in the race, then in the training, and resumed -> the bits of an uninterrupted one."""
    from tensorflow.python.framework import config

    def stores(name: str, **dies: int) -> Callable[[str], Checkpoints]:
        return lambda part: DyingCheckpoints(tmp_path / name / part, dies.get(part))

    every = {"checkpoint_interval": 1e-6}
    config.enable_op_determinism()
    try:
        whole, _ = tune(stores("whole"))
        with pytest.raises(Killed):
            tune(stores("killed", race=2), **every)
        with pytest.raises(Killed):
            tune(stores("killed", tuning=9), **every)
        resumed, _ = tune(stores("killed"))
    finally:
        config.disable_op_determinism()
    assert resumed.runs == whole.runs
    assert (resumed.chosen.settings, resumed.alpha) == (whole.chosen.settings, whole.alpha)
    assert resumed.chosen.history.epochs == whole.chosen.history.epochs
    assert [one.tobytes() for one in resumed.weights] == [one.tobytes() for one in whole.weights]
    assert resumed.predictions.outputs.tobytes() == whole.predictions.outputs.tobytes()


def test_stop_before_the_first_epoch_leaves_the_network_as_it_was(
    tune: Callable[..., Any], backbone_folder: Path
) -> None:
    """Given a stop that was requested before -> no tuned network, the reason, and the weights of before."""
    from image_classifier.training.loop.fitting import Session

    stop = StopSignal()
    stop.set()
    found, inputs = tune(session=Session(stop))
    assert found.reason == "the job was stopped (SIGTERM) before its first epoch ended"
    fresh = tuning_small.inputs(backbone_folder)
    for one, other in zip(tuning_small.weights(inputs.network), tuning_small.weights(fresh.network), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.every
def test_after_a_short_race_two_networks_are_trained_killed_and_resumed(
    tune: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Given a race that a weak setting won -> it and the whole network train, the better is chosen, also resumed."""
    from tensorflow.python.framework import config

    from image_classifier.training.recipes import budget, race, settings

    entrants = (TuningSettings(Mode(SCALES, False), 1e-5), ENTRANTS[1])
    monkeypatch.setattr(settings, "_CANDIDATES", entrants)
    monkeypatch.setattr(budget, "_SIZES", ((2, 2),))
    monkeypatch.setattr(race, "winner", lambda plan, runs: 0)
    config.enable_op_determinism()
    try:
        whole, _ = tune()
        assert [one.settings for one in (*whole.others, whole.chosen)] == [*entrants]
        assert max(whole.chosen.accuracies.values()) > max(whole.others[0].accuracies.values())
        with pytest.raises(Killed):
            tune(lambda part: DyingCheckpoints(tmp_path / part, {"tuning-2": 9}.get(part)), checkpoint_interval=1e-6)
        resumed, inputs = tune(lambda part: DyingCheckpoints(tmp_path / part, None))
    finally:
        config.disable_op_determinism()
    assert [one.tobytes() for one in resumed.weights] == [one.tobytes() for one in whole.weights]
    for one, other in zip(resumed.weights, tuning_small.weights(inputs.network), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.every
def test_stop_during_the_training_returns_the_last_epoch(tune: Callable[..., Any], tmp_path: Path) -> None:
    """Given a stop after two epochs -> these two, compared without further passes over the images."""
    from image_classifier.training.loop.fitting import Session

    stop = StopSignal()

    class Stopping(Checkpoints):
        def save(self, step: int, *arguments: Any) -> None:
            super().save(step, *arguments)
            if step == 12:
                stop.set()

    found, _ = tune(lambda name: Stopping(tmp_path / name, {}), session=Session(stop))
    assert (found.stopped, len(found.chosen.history.epochs)) == ("SIGTERM", 2)
    assert sorted(found.chosen.accuracies) == [0, 1]
    assert found.comparison.rows == 30


def test_too_little_time_for_predictions_costs_no_training_step(
    tune: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a budget of 0 s -> no tuned network, and how long two epochs of predictions take; no step is built."""
    from image_classifier.training.recipes.short_runs import ShortRuns

    monkeypatch.delattr(ShortRuns, "step_seconds")
    found, _ = tune(seconds=0)
    assert found.reason.startswith("2 epochs would take at least ")
    assert found.reason.endswith(" s, by measured predictions, and 0 s of 0 s are left")


def test_copies_of_training_images_do_not_choose_the_network(backbone_folder: Path) -> None:
    """Given a network that is better on copies of its training images alone -> the head stays; else it would win."""
    from image_classifier.training.loop.fitting import Session

    stop = StopSignal()
    stop.set()
    inputs = tuning_small.inputs(backbone_folder, session=Session(stop))
    labels = inputs.images.validation.labels
    by_heart = np.arange(30) < 8
    right = np.eye(3, dtype=np.float32)[labels]
    wrong = np.roll(right, 1, axis=1)
    inputs = replace(inputs, stage0=replace(inputs.stage0, outputs=np.where(by_heart[:, None], wrong, right)))
    assert chosen(inputs, right).comparison.tuned_wins
    copied = CopiedRows(np.arange(48), by_heart)
    found = chosen(replace(inputs, images=replace(inputs.images, copied=copied)), right)
    assert not found.comparison.tuned_wins
    assert (found.comparison.rows, found.comparison.copies, found.comparison.head_accuracy) == (22, 8, 1)
    assert found.predictions.outputs.shape == (30, 3)


def chosen(inputs: Any, outputs: Any) -> Any:
    """Return the choice between stage 0 and a network with these outputs for the validation images."""
    from image_classifier.training.loop.fitting import History
    from image_classifier.training.loop.scoring import Predictions
    from image_classifier.training.recipes import tuning
    from image_classifier.training.recipes.tuning import Finalist

    weights = tuning_small.weights(inputs.network)
    predictions = Predictions(outputs, np.arange(len(outputs)))
    finalist = Finalist(ENTRANTS[1], History([{}], 0, predictions, weights, 1.0, None), predictions)
    plan = Plan(ENTRANTS[1:2], (), (2,), (), 1.0, "")
    return tuning._Tuning(inputs, weights[2:], lambda name: None)._chosen([finalist], plan, (), 0.0, 0.0)


@pytest.mark.every
def test_training_that_diverges_at_once_leaves_the_network_as_it_was(
    tune: Callable[..., Any], backbone_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a rate that makes the weights infinite, without and with a race -> no tuned network, and the reason."""
    from image_classifier.training.recipes import settings

    wild = tuple(TuningSettings(Mode(WHOLE, False), rate) for rate in (1e38, 2e38))
    fresh = tuning_small.weights(tuning_small.inputs(backbone_folder).network)
    for entrants, reason in (
        (wild[:1], "the loss became infinite in the first epoch with whole network with frozen BatchNorm statistics, "),
        (wild, "the loss of every setting in the last rung of the race became infinite"),
    ):
        monkeypatch.setattr(settings, "_CANDIDATES", entrants)
        found, inputs = tune()
        assert found.reason.startswith(reason)
        for one, other in zip(tuning_small.weights(inputs.network), fresh, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.every
def test_tuning_without_an_effect_leaves_the_head(tune: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Given only the rate 0 with frozen statistics -> no race, alpha 0, and the head stays."""
    from image_classifier.training.recipes import settings

    monkeypatch.setattr(settings, "_CANDIDATES", (TuningSettings(Mode(WHOLE, False), 0.0),))
    found, _ = tune()
    assert found.runs == ()
    assert (found.alpha, found.comparison.tuned_wins, found.comparison.difference) == (0, False, 0)
