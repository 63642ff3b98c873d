"""Eligibility of stage 1 and its plan, from durations that are given."""

import json
import time
from dataclasses import asdict, replace
from typing import Any

import pytest

from image_classifier.training.recipes import budget
from image_classifier.training.recipes.budget import Durations, Plan, Rung, Sizes
from image_classifier.training.recipes.settings import LAST_THIRD, SCALES, WHOLE, Mode, TuningSettings
from image_classifier.training.stopping import MARGIN_SECONDS, StopSignal
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
        (True, 19, 0.9, "19 of 69 training images, more than one in 10, are of classes with fewer than 20"),
        (True, 6, 0.9, "6 of 56 training images, more than one in 10, are of classes with fewer than 20"),
        (True, 5, 0.9, None),
        (True, 20, 0.99, "the head's accuracy in cross-validation is 0.9900, at least 0.99"),
    ],
)
def test_eligibility(tunable: bool, fewest: int, accuracy: float, reason: str | None) -> None:
    """Given a format, the smallest class and an accuracy -> eligible, or the reason with its numbers."""
    assert budget.reason_against(tunable, {"ant": 50, "cat": fewest}, accuracy) == reason


def test_budget_is_what_max_runtime_leaves_or_a_default() -> None:
    """Given max_runtime and a reserve for the export -> most of what is left; else 10 minutes, or 30 with a GPU."""
    assert budget.allowance(small.settings(), StopSignal(), has_gpu=False).seconds == 600
    assert budget.allowance(small.settings(), StopSignal(), has_gpu=True).seconds == 1800
    stop = StopSignal(2000, started=time.monotonic())
    stop.reserve_export_time(100)
    values = small.settings(max_runtime=2000)
    assert budget.allowance(values, StopSignal(1), has_gpu=True).seconds == 0
    left = budget.allowance(values, stop, has_gpu=True)
    assert left.seconds == pytest.approx(0.8 * (2000 - 150 - MARGIN_SECONDS), abs=5)
    assert left.source == "80% of what max_runtime=2000 leaves"


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


def test_a_test_channel_takes_its_part_of_the_budget() -> None:
    """Given 2,000 images that are scored later, 100 a second -> 20 s more are needed, and those 20 s are left."""
    durations, later = Durations({DEAR: 1.0, CHEAP: 0.25}, 0.01, 10.0), replace(SIZES, scored_later=2000)
    assert budget.plan(SETTINGS, durations, later, 55) == (
        "2 epochs would take 65 s by measured steps, and 45 s of 55 s are left"
    )
    found = budget.plan(SETTINGS, durations, later, 600)
    assert isinstance(found, Plan)
    for epochs, one in zip(found.epochs, found.settings, strict=True):
        assert epochs * (50 * durations.steps[one.mode] + 4) + 3 * 4 <= 600 - 10 - 20


@pytest.mark.parametrize(
    ("measured", "spent", "mode", "worth"),
    [
        ((), 90.0, CHEAP, True),
        ((CHEAP,), 90.0, DEAR, True),
        ((CHEAP,), 90.0, Mode(SCALES, False), True),
        ((CHEAP, DEAR), 90.0, Mode(WHOLE, False), False),
        ((DEAR,), 90.0, CHEAP, True),
        ((CHEAP, DEAR), 60.0, Mode(WHOLE, False), True),
    ],
)
def test_each_part_is_measured_however_long_the_others_took(
    measured: tuple[Mode, ...], spent: float, mode: Mode, worth: bool
) -> None:
    """Given a tenth of 600 s spent, or more -> the first mode of each part is still measured, a second one is not."""
    assert budget.worth_measuring(mode, Durations(dict.fromkeys(measured, 1.0), 0.01, spent), 600) is worth


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


@pytest.mark.parametrize(
    ("seconds", "raced", "two"),
    [
        (90, True, False),
        (172, True, False),
        (190, False, True),
        (240, True, True),
        (700, True, True),
        (20_000, True, False),
    ],
)
def test_a_part_and_the_whole_network_are_tuned_wherever_both_fit(seconds: float, raced: bool, two: bool) -> None:
    """Given time for a part, for one of both, for both, for a race too -> both are tuned, but after a long race."""
    found = plan(seconds)
    assert (bool(found.rungs), bool(found.shared_epochs)) == (raced, two)
    assert found.seconds <= seconds - 10
    if two:
        what = " with the winner, and with the best for the whole network" if raced else " each with two settings"
        assert f"{what} (at most " in found.sentence
        assert all(2 <= shared <= alone for shared, alone in zip(found.shared_epochs, found.epochs, strict=True))
        assert not raced or found.rungs[-1].steps < budget.MIN_EPOCHS * SIZES.steps_per_epoch


def test_the_whole_network_gets_more_than_half_where_it_needs_it() -> None:
    """Given 190 s for both, of which two epochs of the whole network take 120 -> these, and three of the part."""
    found = plan(240)
    assert dict(zip((one.mode for one in found.settings), found.shared_epochs, strict=True)) == {DEAR: 2, CHEAP: 3}


def test_without_a_race_the_part_is_one_that_fits() -> None:
    """Given too little time for the first part beside the whole network -> another part, which is quicker."""
    middle = TuningSettings(Mode(SCALES, False), 3e-3)
    durations = Durations({DEAR: 1.0, CHEAP: 0.25, middle.mode: 0.8}, 0.01, 10.0)
    found = budget.plan((middle, *SETTINGS), durations, SIZES, 190)
    assert isinstance(found, Plan)
    assert [one.mode for one in found.settings] == [CHEAP, DEAR]


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
