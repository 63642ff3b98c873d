"""The search as a whole: it finds better values, the same ones for the same seed, also when it was interrupted."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from image_classifier.training.recipes import search, trial
from image_classifier.training.recipes.head_trainer import LabelledFeatures
from image_classifier.training.recipes.search import SearchResult
from tests.unit.training import small
from tests.unit.training.recipes import searching
from tests.unit.training.recipes.searching import NAMES, finished, untimed

TRIALS = 24
VALUES = small.settings(random_seed=5)


def after(calls: int) -> Callable[[], str]:
    """Return a function that requests a stop when it is called once more than `calls` times."""
    left = [calls]

    def stopped() -> str:
        left[0] -= 1
        return "a test stops it" if left[0] < 0 else ""

    return stopped


@pytest.fixture(scope="module")
def whole() -> SearchResult:
    """A search that was not interrupted."""
    return search.search(searching.task(), VALUES, NAMES, TRIALS, None)


def test_search_finds_better_values(whole: SearchResult) -> None:
    """Given three epochs as the job's own -> the first trial has the job's values, the best one a higher score."""
    assert whole.trials[0].values == {name: getattr(VALUES, name) for name in NAMES}
    assert whole.best is not None
    assert whole.best.objective > whole.trials[0].objective + 0.05
    assert whole.best.objective == max(one.objective for one in whole.trials if one.finished)
    assert {*whole.best.values} == {*NAMES}


def test_hopeless_trials_are_pruned(whole: SearchResult) -> None:
    """Given ten finished trials -> of later ones some are pruned, after at least as many epochs as always run."""
    pruned = [one for one in whole.trials if one.outcome.state == trial.PRUNED]
    assert pruned
    assert min(one.number for one in pruned) >= search.RANDOM_TRIALS
    assert min(len(one.outcome.scores) for one in pruned) >= search.WARM_UP_EPOCHS


def test_draws_depend_on_the_seed_alone(whole: SearchResult) -> None:
    """Given another seed -> other values from the second trial on; a shorter search -> the beginning of the longer."""
    other = search.search(searching.task(), small.settings(random_seed=6), NAMES, 2, None)
    assert other.trials[1].values != whole.trials[1].values
    shorter = search.search(searching.task(), VALUES, NAMES, 3, None)
    assert untimed(shorter.trials) == untimed(whole.trials[:3])


@pytest.mark.parametrize(
    "epochs", [1, pytest.param(150, marks=pytest.mark.every)], ids=["in the first trial", "among pruned trials"]
)
def test_interrupted_search_resumes_with_equal_trials(whole: SearchResult, epochs: int, tmp_path: Path) -> None:
    """Given a stop and another process that resumes -> the trials of a search that was not interrupted."""
    stopped = search.search(searching.task(), VALUES, NAMES, TRIALS, tmp_path, after(epochs))
    assert stopped.stopped
    assert len(stopped.trials) < TRIALS
    resumed = search.search(searching.task(), VALUES, NAMES, TRIALS, tmp_path)
    assert untimed(resumed.trials) == untimed(whole.trials)
    assert not resumed.stopped


def test_finished_trials_are_not_repeated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Given a finished search -> its trials are read and added to when more are asked for, but not for other data."""
    first = search.search(searching.task(), VALUES, NAMES, 3, tmp_path)
    again = search.search(searching.task(), VALUES, NAMES, 3, tmp_path, after(0))
    assert again.trials == first.trials
    more = search.search(searching.task(), VALUES, NAMES, 4, tmp_path)
    assert more.trials[:3] == first.trials
    assert "Search: 3 of 4 trials were finished before." in capsys.readouterr().out
    other = search.search(searching.task(seed=1), VALUES, NAMES, 3, tmp_path, after(0))
    assert other.trials == ()


def test_values_that_change_trials_are_noticed(tmp_path: Path) -> None:
    """Given other epochs of the job -> no trial is reused; another time budget -> all are."""
    search.search(searching.task(), VALUES, NAMES, 2, tmp_path)
    same = search.search(searching.task(), dataclasses.replace(VALUES, max_runtime=60), NAMES, 2, tmp_path, after(0))
    assert len(same.trials) == 2
    other = search.search(searching.task(), dataclasses.replace(VALUES, epochs=4), NAMES, 2, tmp_path, after(0))
    assert other.trials == ()


def test_own_values_may_lie_outside_of_the_ranges() -> None:
    """Given an optimizer and a batch size that are not recommended -> they are the first trial, others are drawn."""
    values = small.settings(optimizer="adadelta", batch_size=4)
    found = search.search(searching.task(), values, NAMES, 3, None)
    assert found.trials[0].values["optimizer"] == "adadelta"
    assert "adadelta" not in [one.values["optimizer"] for one in found.trials[1:]]


def test_names_that_are_not_searched_keep_their_value() -> None:
    """Given a search over one name -> only that one differs between trials, and the others are the job's."""
    found = search.search(searching.task(), VALUES, ("dropout_rate",), 3, None)
    assert [list(one.values) for one in found.trials] == [["dropout_rate"]] * 3
    assert {len(one.outcome.scores) for one in found.trials} == {VALUES.epochs}


def test_search_without_a_result_has_no_best_trial() -> None:
    """Given a stop in the first trial, and data on which all trials diverge -> no best trial."""
    stopped = search.search(searching.task(), VALUES, NAMES, 2, None, after(0))
    assert (stopped.trials, stopped.best, stopped.stopped) == ((), None, "a test stops it")
    task = searching.task()
    huge = LabelledFeatures(np.full_like(task.data.features, 3e38), task.data.labels)
    diverged = search.search(dataclasses.replace(task, data=huge), VALUES, NAMES, 2, None)
    assert [one.outcome.state for one in diverged.trials] == [trial.DIVERGED] * 2
    assert diverged.best is None


def test_pruned_trial_is_not_the_best() -> None:
    """Given a pruned trial with the highest score -> the best is the first of the finished ones with the highest."""
    trials = (finished(0, [0.5]), finished(1, [0.9], trial.PRUNED), finished(2, [0.7]), finished(3, [0.7]))
    assert SearchResult(trials, "accuracy", 5).best == trials[2]
