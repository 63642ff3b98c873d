"""How a trial is judged: folds of the training rows, scores, and when it ends."""

import dataclasses

import numpy as np
import pytest

from image_classifier.training.recipes import trial
from image_classifier.training.recipes.head_trainer import LabelledFeatures
from image_classifier.training.recipes.trial import Score
from tests.unit.training import small
from tests.unit.training.recipes import searching


def never(epoch: int, score: Score) -> bool:
    """Prune no trial."""
    return False


def test_folds_judge_every_row_once() -> None:
    """Given rows of unequal classes -> every row is held out once and trained on otherwise, classes evenly spread."""
    labels = np.array([0] * 31 + [1] * 12 + [2] * 3)
    folds = trial.stratified_folds(labels, 7)
    assert sorted(np.concatenate([fold.held_out for fold in folds])) == list(range(46))
    for fold in folds:
        assert sorted([*fold.training, *fold.held_out]) == list(range(46))
        assert {len(fold.held_out)} <= {9, 10}
        assert np.bincount(labels[fold.held_out], minlength=3)[0] in (6, 7)


@pytest.mark.parametrize(("copies", "folds"), [(2, 5), (30, 3), (60, 2), (90, 1)])
def test_copies_are_in_one_fold(copies: int, folds: int) -> None:
    """Given every image several times -> no fold trains on a copy of what it holds out, and every row has a place."""
    labels, first = np.tile(np.arange(50) % 3, copies), np.tile(np.arange(50), copies)
    found = trial.stratified_folds(labels, 0, first)
    assert len(found) == folds
    for fold in found:
        assert not set(first[fold.training]) & set(first[fold.held_out])
        assert len(fold.training) + len(fold.held_out) == 50 * copies
    assert folds == 1 or sum(len(fold.held_out) for fold in found) == 50 * copies


@pytest.mark.parametrize(("rows", "folds"), [(1_000, 5), (1_001, 3), (2_000, 3), (2_001, 2), (4_000, 2)])
def test_fewer_folds_judge_more_rows(rows: int, folds: int) -> None:
    """Given more rows -> fewer folds, which still judge every row once, so that no epoch trains on many more."""
    found = trial.stratified_folds(np.arange(rows) % 7, 0)
    assert (len(found), sum(len(fold.held_out) for fold in found)) == (folds, rows)
    assert sum(len(fold.training) for fold in found) <= 4_000


def test_many_rows_have_one_hold_out() -> None:
    """Given more rows than are judged in folds -> one fold, a third of each class, other rows for another seed."""
    labels = np.arange(4_002) % 2
    [fold] = trial.stratified_folds(labels, 1)
    [other] = trial.stratified_folds(labels, 2)
    assert np.bincount(labels[fold.held_out]).tolist() == [667, 667]
    assert not np.intersect1d(fold.training, fold.held_out).size
    assert set(fold.held_out) != set(other.held_out)


def test_held_out_rows_are_not_trained_on() -> None:
    """Given labels that are pure noise -> a head that learns its training rows by heart does no better than chance."""
    task = searching.task(classes=2, count=100)
    noise = np.random.default_rng(5).normal(size=(100, 200)).astype(np.float32)
    labels = np.random.default_rng(6).integers(0, 2, 100)
    start = np.zeros((201, 2), np.float32)
    blind = dataclasses.replace(
        task, data=LabelledFeatures(noise, labels), folds=trial.stratified_folds(labels, 0), start=start
    )
    values = small.settings(epochs=40, learning_rate=0.01, dropout_rate=0, label_smoothing=0)
    assert trial.run(blind, values, never).scores[-1].metric == pytest.approx(0.5, abs=0.15)


def test_trial_ends_when_it_is_pruned() -> None:
    """Given a pruner that objects after the third epoch -> three scores; it is not called after the last epoch."""
    called: list[int] = []

    def prune(epoch: int, score: Score) -> bool:
        called.append(epoch)
        return epoch == 2

    pruned = trial.run(searching.task(), small.settings(epochs=9), prune)
    assert (pruned.state, len(pruned.scores), called) == (trial.PRUNED, 3, [0, 1, 2])
    called.clear()
    finished = trial.run(searching.task(), small.settings(epochs=2), prune)
    assert (finished.state, len(finished.scores), called) == (trial.FINISHED, 2, [0])


def test_score_is_a_mean_over_the_last_epochs() -> None:
    """Given seven epochs -> the mean of the last two, of one epoch that one, of no epoch no score."""
    seven = searching.finished(0, [0.9, 0.9, 0.9, 0.9, 0.9, 0.5, 0.75]).outcome.score
    assert seven == Score(0.625, 0.5, 100)
    assert searching.finished(0, [0.25]).outcome.score == Score(0.25, 0.5, 100)
    assert searching.finished(0, []).outcome.score is None


def test_divergence_ends_a_trial() -> None:
    """Given features that overflow -> the trial diverged, without a score."""
    task = searching.task()
    huge = LabelledFeatures(np.full_like(task.data.features, 3e38), task.data.labels)
    outcome = trial.run(dataclasses.replace(task, data=huge), small.settings(), never)
    assert (outcome.state, outcome.scores) == (trial.DIVERGED, ())


@pytest.mark.parametrize(
    ("metric", "expected"),
    [("accuracy", 0.6), ("precision", 2 / 3), ("recall", 2 / 3), ("auc", 5 / 6), ("prc", (1 + 1 + 3 / 4) / 3)],
)
def test_metrics_of_one_output(metric: str, expected: float) -> None:
    """Given five probabilities of class 1 -> each metric as by its definition, log loss the mean negative logarithm."""
    probabilities, labels = np.array([[0.9], [0.8], [0.7], [0.3], [0.2]], np.float32), np.array([1, 1, 0, 1, 0])
    found = trial.score(probabilities, labels, metric)
    assert found.metric == pytest.approx(expected)
    assert found.log_loss == pytest.approx(-np.log([0.9, 0.8, 0.3, 0.3, 0.8]).mean())


def test_equal_probabilities_count_half() -> None:
    """Given ties between the classes, and a single class -> ties count half, and the area is 0 without a pair."""
    probabilities = np.array([[0.5], [0.5], [0.5], [0.1]], np.float32)
    assert trial.score(probabilities, np.array([1, 0, 1, 0]), "auc").metric == pytest.approx(0.75)
    assert trial.score(probabilities, np.array([1, 0, 1, 0]), "prc").metric == pytest.approx(2 / 3)
    assert trial.score(probabilities, np.zeros(4, np.int64), "auc").metric == 0
    assert trial.score(probabilities, np.zeros(4, np.int64), "prc").metric == 0


def test_ties_are_decided_by_the_log_loss() -> None:
    """Given equal accuracies -> the lower log loss is better, but never as good as one more correct row."""
    low, high = Score(0.90, 0.1, 100), Score(0.90, 50.0, 100)
    assert high.objective < low.objective < Score(0.91, 50.0, 100).objective


def test_binary_trials_decide_as_the_server_does() -> None:
    """Given P(class 1) of exactly 0.5 -> class 1 in every metric that takes classes."""
    half = np.full((4, 1), 0.5, np.float32)
    labels = np.array([1, 1, 1, 0])
    found = [trial.score(half, labels, metric).metric for metric in ("accuracy", "precision", "recall")]
    assert found == [0.75, 0.75, 1.0]
