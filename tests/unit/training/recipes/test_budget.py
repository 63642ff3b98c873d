"""Eligibility of stage 1 and its plan, from durations that are given."""

import json
from dataclasses import asdict
from typing import Any

import pytest

from image_classifier.training.recipes import budget
from image_classifier.training.recipes.budget import Durations, Plan, Rung, Sizes
from image_classifier.training.recipes.settings import LAST_THIRD, WHOLE, Mode, TuningSettings
from image_classifier.training.stopping import StopSignal
from tests.unit.training import small

DEAR, CHEAP = Mode(WHOLE, True), Mode(LAST_THIRD, False)
SETTINGS = tuple(TuningSettings(mode, rate) for rate in (1e-3, 3e-4, 1e-4) for mode in (DEAR, CHEAP))
SIZES = Sizes(steps_per_epoch=50, step_rows=32, validation_rows=400, judging_rows=100)


def plan(seconds: float, step: float = 1.0, spent: float = 10.0) -> Any:
    """Plan with steps of a mode that take a second, and steps of another that take a quarter."""
    return budget.plan(SETTINGS, Durations({DEAR: step, CHEAP: step / 4}, step / 100, spent), SIZES, seconds)


@pytest.mark.parametrize(
    ("tunable", "fewest", "accuracy", "reason"),
    [
        (True, 20, 0.9899, None),
        (False, 20, 0.9, "the backbone's format does not allow it"),
        (True, 19, 0.9, "cat has 19 training images, fewer than 20"),
        (True, 20, 0.99, "the head's accuracy in cross-validation is 0.9900, at least 0.99"),
    ],
)
def test_eligibility(tunable: bool, fewest: int, accuracy: float, reason: str | None) -> None:
    """Given a format, the smallest class and an accuracy -> eligible, or the reason with its numbers."""
    assert budget.reason_against(tunable, {"ant": 50, "cat": fewest}, accuracy) == reason


def test_budget_is_what_max_runtime_leaves_or_a_default() -> None:
    """Given max_runtime and a reserve for the export -> what is left of it; else 10 minutes, or 30 with a GPU."""
    assert budget.allowance(small.settings(), StopSignal(), has_gpu=False).seconds == 600
    assert budget.allowance(small.settings(), StopSignal(), has_gpu=True).seconds == 1800
    stop = StopSignal(2000, started=0.0)
    stop.reserve_export_time(100)
    values = small.settings(max_runtime=2000)
    assert budget.allowance(values, StopSignal(1), has_gpu=True).seconds == 0
    left = budget.allowance(values, stop, has_gpu=True)
    assert left.seconds < 2000 - 150
    assert left.source == "what max_runtime=2000 leaves"


def test_less_than_two_epochs_is_no_plan() -> None:
    """Given 10 s spent, and 40 s or 45 s left -> two epochs of the cheapest mode do not fit, or just fit."""
    assert isinstance(plan(55), Plan)
    assert plan(50) == "2 epochs would take 45 s by measured steps, and 40 s of 50 s are left"


@pytest.mark.parametrize(
    ("row", "measured", "mode", "step"),
    [
        (0.01, {}, CHEAP, 0.32),
        (0.01, {CHEAP: 0.5}, DEAR, 0.5),
        (0.01, {CHEAP: 0.1}, DEAR, 0.32),
        (0.01, {DEAR: 5.0}, CHEAP, 0.32),
        (0.01, {DEAR: 5.0}, Mode(WHOLE, False), 0.32),
        (0.0, {}, DEAR, 0.0),
    ],
)
def test_a_step_takes_no_less_than_its_predictions_and_than_a_part(
    row: float, measured: dict[Mode, float], mode: Mode, step: float
) -> None:
    """Given a prediction's duration and measured steps -> two epochs of the least step, and passes of validation."""
    least = budget.least_seconds(mode, Durations(measured, row, 1.0), SIZES)
    assert least == pytest.approx(2 * 50 * step + (2 + 3) * 400 * row)


def test_modes_that_do_not_fit_are_left_out() -> None:
    """Given time for two epochs of the cheap mode alone -> only its settings race or train, and within the budget."""
    found = plan(90)
    assert {one.mode for one in found.settings} == {CHEAP}
    assert found.seconds <= 80


@pytest.mark.parametrize("seconds", [130, 200, 300, 600, 1200, 3600])
def test_race_takes_at_most_a_third_and_everything_fits(seconds: int) -> None:
    """Given budgets -> measuring, race and the longest training fit, and so does the race into its third."""
    found = plan(seconds)
    assert found.seconds <= seconds - 10
    durations = Durations({DEAR: 1.0, CHEAP: 0.25}, 0.01, 10.0)
    if found.rungs:
        assert budget._race_seconds(found.rungs, found.settings, durations, SIZES) + 10 <= seconds / 3
    assert min(found.epochs) >= 2


def test_more_time_means_a_larger_race_and_more_epochs_up_to_a_limit() -> None:
    """Given ten times the time, then a hundred times -> a larger race and 20 epochs, then the same plan."""
    short, long, longest = plan(600), plan(6000), plan(60_000)
    assert sum(rung.settings * rung.steps for rung in long.rungs) > sum(
        rung.settings * rung.steps for rung in short.rungs
    )
    assert max(short.epochs) > min(short.epochs) >= 2
    assert (long.rungs, long.epochs, long.settings) == (longest.rungs, longest.epochs, longest.settings)
    assert set(long.epochs) == {20}


def test_noise_in_the_durations_mostly_gives_the_same_plan() -> None:
    """Given durations one percent longer -> the same rungs and epochs."""
    one, other = plan(600), plan(600, step=1.01)
    assert (one.rungs, one.epochs) == (other.rungs, other.epochs)


@pytest.mark.parametrize(("seconds", "two"), [(90, False), (240, False), (700, True), (20_000, False)])
def test_a_short_race_leaves_time_to_tune_two(seconds: float, two: bool) -> None:
    """Given time for one mode alone, for a short race, for one of two epochs -> after the short one two are tuned."""
    found = plan(seconds)
    assert bool(found.shared_epochs) == two
    if two:
        assert found.rungs[-1].steps < budget.MIN_EPOCHS * SIZES.steps_per_epoch
        assert found.seconds <= seconds - 10
        assert all(2 <= shared <= alone for shared, alone in zip(found.shared_epochs, found.epochs, strict=True))
        assert " with the winner, and with the best for the whole network (at most " in found.sentence


def test_settings_of_one_kind_are_not_tuned_in_pairs() -> None:
    """Given settings that all tune the whole network -> one is tuned."""
    found = budget.plan(SETTINGS[::2], Durations({DEAR: 1.0}, 0.01, 10.0), SIZES, 900)
    assert isinstance(found, Plan)
    assert found.shared_epochs == ()


def test_without_a_race_the_quickest_to_gain_and_the_whole_network_are_tuned() -> None:
    """Given no race that fits, and time for both -> the first setting and the first of the whole network, in halves."""
    durations = Durations({DEAR: 1.0, CHEAP: 0.25}, 0.01, 290.0)
    found = budget.plan((*SETTINGS[1:], SETTINGS[0]), durations, SIZES, 800)
    assert isinstance(found, Plan)
    assert found.rungs == ()
    assert [one.mode for one in found.settings] == [CHEAP, DEAR]
    assert found.seconds <= 510
    assert " each with two settings (at most " in found.sentence


def test_a_plan_is_the_same_after_it_was_stored() -> None:
    """Given a plan as JSON -> an equal plan."""
    found = plan(600)
    assert found.rungs
    assert isinstance(found.rungs[0], Rung)
    assert Plan.from_state(json.loads(json.dumps(asdict(found)))) == found
