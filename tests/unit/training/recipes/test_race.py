"""Successive halving, on scores that are given, and the split of the training rows."""

import math

import numpy as np
import pytest

from image_classifier.training.recipes import race
from image_classifier.training.recipes.budget import Plan, Rung
from image_classifier.training.recipes.race import Run
from image_classifier.training.recipes.settings import LAST_THIRD, SCALES, WHOLE, Mode, TuningSettings

RATES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
SETTINGS = tuple(TuningSettings(Mode(WHOLE, False), rate) for rate in RATES)
PLAN = Plan(SETTINGS, (Rung(6, 8), Rung(3, 16)), (2,) * 6, (), 1.0, "")


class Interrupted(Exception):  # noqa: N818 - it stands for a kill
    """Ends a race."""


def by_distance(settings: TuningSettings, steps: int) -> float:
    """Score a learning rate by its distance from 0.4."""
    return abs(settings.learning_rate - 0.4)


def test_better_half_runs_again_for_twice_the_steps() -> None:
    """Given six settings -> six short runs, three long ones of the best, and the best of these wins."""
    asked: list[tuple[float, int]] = []

    def score(settings: TuningSettings, steps: int) -> float:
        asked.append((settings.learning_rate, steps))
        return by_distance(settings, steps)

    runs = race.run(PLAN, score, (), lambda some: None)
    assert asked == [*((rate, 8) for rate in RATES), (0.3, 16), (0.4, 16), (0.5, 16)]
    assert race.winner(PLAN, runs) == 3


def test_last_rung_decides() -> None:
    """Given a setting that is best after the short runs and not after the long ones -> the best of the long ones."""
    runs = race.run(PLAN, lambda settings, steps: by_distance(settings, steps) * (12 - steps), (), lambda some: None)
    assert race.winner(PLAN, runs) == 2


def test_equal_scores_keep_the_order_of_the_plan() -> None:
    """Given equal scores -> the first setting of the plan."""
    assert race.winner(PLAN, race.run(PLAN, lambda *_: 0.5, (), lambda some: None)) == 0


def test_diverged_settings_lose_and_all_of_them_leave_no_winner() -> None:
    """Given infinite scores of all but one setting, then of all -> that one wins; none does."""
    runs = race.run(PLAN, lambda settings, _: 9.0 if settings.learning_rate == 0.5 else math.inf, (), lambda some: None)
    assert race.winner(PLAN, runs) == 4
    assert race.winner(PLAN, race.run(PLAN, lambda *_: math.inf, (), lambda some: None)) is None


def test_without_rungs_the_first_setting_wins() -> None:
    """Given a plan without a race -> no run, and its only setting."""
    plan = Plan(SETTINGS[:1], (), (2,), (), 1.0, "")
    assert race.run(plan, by_distance, (), lambda some: None) == ()
    assert race.winner(plan, ()) == 0


@pytest.mark.parametrize("after", range(1, 10))
def test_interrupted_race_resumes_with_the_runs_that_are_missing(after: int) -> None:
    """Given a race that ends after some runs, and its stored runs -> the rest is run once, with the same result."""
    stored: list[Run] = []
    count = 0

    def score(settings: TuningSettings, steps: int) -> float:
        nonlocal count
        count += 1
        return by_distance(settings, steps)

    def save(runs: object) -> None:
        stored[:] = runs  # type: ignore[call-overload]
        if len(stored) == after:
            raise Interrupted

    with pytest.raises(Interrupted):
        race.run(PLAN, score, (), save)
    resumed = race.run(PLAN, score, [Run(**one) for one in race.to_state(stored)], lambda some: None)  # type: ignore[arg-type]
    assert resumed == race.run(PLAN, by_distance, (), lambda some: None)
    assert count == 9


def test_split_is_stratified_and_leaves_no_row_to_both_parts() -> None:
    """Given 80, 40 and 20 rows of three classes -> a quarter of each judges, and the others train."""
    labels = np.repeat([0, 1, 2], [80, 40, 20])
    parts = race.split(labels, 5)
    assert np.bincount(labels[parts.judging]).tolist() == [20, 10, 5]
    assert sorted([*parts.training, *parts.judging]) == list(range(140))
    again, other = race.split(labels, 5), race.split(labels, 6)
    np.testing.assert_array_equal(parts.judging, again.judging)
    assert parts.judging.tolist() != other.judging.tolist()


def test_copies_of_judging_rows_do_not_train() -> None:
    """Given every image three times -> one of each judging image judges, none of its copies trains, all others do."""
    labels, first = np.tile(np.repeat([0, 1], [60, 20]), 3), np.tile(np.arange(80), 3)
    parts = race.split(labels, 5, first)
    assert np.bincount(labels[parts.judging]).tolist() == [15, 5]
    assert not set(first[parts.training]) & set(first[parts.judging])
    assert len(parts.training) == 3 * 60
    without = race.split(labels[:80], 5)
    np.testing.assert_array_equal(race.split(labels[:80], 5, np.arange(80)).training, without.training)


def test_large_data_race_on_a_part() -> None:
    """Given 50,000 rows of four classes -> 256 judge and 10,000 train, the same number of each class."""
    labels = np.tile(np.arange(4), 12_500)
    parts = race.split(labels, 1)
    assert np.bincount(labels[parts.judging]).tolist() == [64] * 4
    assert np.bincount(labels[parts.training]).tolist() == [2500] * 4
    assert not set(parts.training) & set(parts.judging)


SCALE, THIRD, SLOW, FAST = (
    TuningSettings(Mode(SCALES, False), 1e-3),
    TuningSettings(Mode(LAST_THIRD, False), 1e-3),
    TuningSettings(Mode(WHOLE, False), 1e-4),
    TuningSettings(Mode(WHOLE, True), 1e-3),
)


@pytest.mark.parametrize(
    ("scores", "shared", "expected"),
    [
        ([[0.1, 0.2, 0.4, 0.3], [0.1, 0.2]], True, [SCALE, FAST]),
        ([[0.1, 0.4, 0.2, 0.3], [0.1, None, 0.2]], True, [SCALE, SLOW]),
        ([[0.1, 0.4, 0.2, 0.3], [0.2, None, 0.1]], True, [SLOW]),
        ([[0.1, 0.2, 0.4, 0.3], [0.1, 0.2]], False, [SCALE]),
        ([[math.inf] * 4, [math.inf, math.inf]], True, []),
    ],
)
def test_a_winner_that_leaves_parts_is_tuned_beside_the_whole_network(
    scores: list[list[float | None]], shared: bool, expected: list[TuningSettings]
) -> None:
    """Given the scores of two rungs -> the winner, and where there is time for two the whole network's best setting."""
    settings = (SCALE, THIRD, SLOW, FAST)
    plan = Plan(settings, (Rung(4, 8), Rung(2, 16)), (4,) * 4, (2,) * 4 if shared else (), 1.0, "")
    runs = [
        Run(rung, entrant, score)
        for rung, found in enumerate(scores)
        for entrant, score in enumerate(found)
        if score is not None
    ]
    assert [settings[index] for index in race.finalists(plan, runs)] == expected


def test_without_a_race_what_the_plan_has_is_tuned() -> None:
    """Given a plan without rungs, for one setting or two -> these."""
    assert race.finalists(Plan((SCALE,), (), (3,), (), 1.0, ""), ()) == [0]
    assert race.finalists(Plan((SCALE, FAST), (), (3, 2), (2, 2), 1.0, ""), ()) == [0, 1]
