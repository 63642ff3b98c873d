"""One trial of a search: a set of hyperparameters, judged on rows of the training split that it did not train on.

Never on validation rows: by these the job chooses its best epoch and reports its score, as it does without a search.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from image_classifier.contract.hyperparameters import Hyperparameters
from image_classifier.evaluation import stratified
from image_classifier.heads import linear_head
from image_classifier.training.recipes.head_trainer import Array, HeadTrainer, LabelledFeatures

FOLDS = ((1_000, 5), (2_000, 3), (4_000, 2))
"""Up to so many rows there are so many folds, by which every row is judged: an epoch trains on 4,000 rows at most."""
MOST_FOLDS = max(folds for _, folds in FOLDS)
HELD_OUT = 3
"""Of more rows one of so many parts is held out."""
FINISHED, PRUNED, DIVERGED = "finished", "pruned", "diverged"


@dataclass(frozen=True)
class Fold:
    """Indices of the rows to train on and of those that are held out, int64."""

    training: NDArray[np.int64]
    held_out: NDArray[np.int64]


@dataclass(frozen=True)
class Task:
    """What all trials of a search have in common."""

    data: LabelledFeatures
    """The training split."""
    folds: tuple[Fold, ...]
    class_weights: Array
    """(K,), see `loop.class_weights`."""
    start: Array
    """Initial weights of the head (features + 1, outputs), the bias last."""


@dataclass(frozen=True)
class Score:
    """Judgement of the held-out rows of all folds together, after an epoch or as a mean over epochs."""

    metric: float
    """What `eval_metric` names; larger is better."""
    log_loss: float
    """Mean cross-entropy in nats, without smoothing, class weights and regularisation."""
    rows: int

    @property
    def objective(self) -> float:
        """The metric, with ties decided by the log loss, which counts less than one row of the metric."""
        return self.metric - min(self.log_loss / 10, 1.0) / (2 * self.rows)


@dataclass(frozen=True)
class Outcome:
    """What a trial came to."""

    scores: tuple[Score, ...]
    """After each epoch."""
    state: str
    """`FINISHED`, `PRUNED`, or `DIVERGED` when the loss became NaN or infinite in the epoch after the last score."""
    seconds: float

    @property
    def score(self) -> Score | None:
        """The mean over the last third of the epochs, since single epochs jump; None without an epoch."""
        if not self.scores:
            return None
        last = self.scores[-max(len(self.scores) // 3, 1) :]
        metric, log_loss = (
            sum(of) / len(last) for of in zip(*((one.metric, one.log_loss) for one in last), strict=True)
        )
        return Score(metric, log_loss, last[0].rows)


def stratified_folds(labels: NDArray[np.int64], seed: int, first: NDArray[np.int64] | None = None) -> tuple[Fold, ...]:
    """Return the folds by which trials on rows with these labels are judged, see `FOLDS` and `HELD_OUT`.

    Each class is dealt to the folds in random order, so that its rows per fold differ by at most one. `first` is the
    first copy of each row, int64 (n,), itself by default: copies are in one fold.
    """
    first = np.arange(len(labels)) if first is None else first
    different = np.unique(first)
    by_class = different[stratified.by_class(labels[different], seed)]
    count = next((folds for rows, folds in FOLDS if len(labels) <= rows), 1)
    parts = [by_class[index :: count if count > 1 else HELD_OUT] for index in range(count)]
    held_out = [np.flatnonzero(np.isin(first, part)) for part in parts]
    return tuple(Fold(np.setdiff1d(np.arange(len(labels)), rows), rows) for rows in held_out)


def run(task: Task, values: Hyperparameters, prune: Callable[[int, Score], bool]) -> Outcome:
    """Train on every fold, all of them in step, until the last epoch or until `prune` (epoch, score) returns True.

    `prune` is called after each epoch (from 0) but the last, and may raise. `early_stopping` has no effect.
    """
    started = time.monotonic()
    trainers = [HeadTrainer(task.start, values, task.class_weights, fold.training) for fold in task.folds]
    scores: list[Score] = []
    state = FINISHED
    for epoch in range(values.epochs):
        if not all(trainer.run_epoch(task.data, epoch) for trainer in trainers):
            state = DIVERGED
            break
        scores.append(_score(task, values, trainers))
        if epoch + 1 < values.epochs and prune(epoch, scores[-1]):
            state = PRUNED
            break
    return Outcome(tuple(scores), state, time.monotonic() - started)


def _score(task: Task, values: Hyperparameters, trainers: Sequence[HeadTrainer]) -> Score:
    held_out = [fold.held_out for fold in task.folds]
    parts = [trainer.probabilities(task.data, rows) for trainer, rows in zip(trainers, held_out, strict=True)]
    return score(np.concatenate(parts), task.data.labels[np.concatenate(held_out)], values.eval_metric)


def score(probabilities: Array, labels: NDArray[np.int64], metric: str) -> Score:
    """Judge probabilities (n, K), or (n, 1) of class 1, against labels (n,) by accuracy or a binary metric."""
    predicted = linear_head.predicted(probabilities)
    if probabilities.shape[1] == 1:
        probabilities = np.concatenate([1 - probabilities, probabilities], axis=1)
    of_label = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    log_loss = float(-np.log(np.clip(of_label, 1e-15, 1)).mean())
    return Score(_metric(metric, probabilities, predicted, labels), log_loss, len(labels))


def _metric(name: str, probabilities: Array, predicted: NDArray[np.int64], labels: NDArray[np.int64]) -> float:
    match name:
        case "accuracy":
            return float((predicted == labels).mean())
        case "precision":
            return float(labels[predicted == 1].mean()) if (predicted == 1).any() else 0.0
        case "recall":
            return float(predicted[labels == 1].mean()) if (labels == 1).any() else 0.0
        case "auc":
            return _area_under_roc(probabilities[:, 1], labels == 1)
        case "prc":
            return _average_precision(probabilities[:, 1], labels == 1)
        case other:
            raise AssertionError(f"unimplemented metric {other}")


def _area_under_roc(values: Array, positive: NDArray[np.bool_]) -> float:
    """Return the probability that a positive row has a higher value than a negative one, ties counted half.

    Mann-Whitney's U (Hanley, McNeil, 1982); 0 without rows of both kinds.
    """
    _, group, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[group]
    above, below = np.count_nonzero(positive), np.count_nonzero(~positive)
    return float((ranks[positive].sum() - above * (above + 1) / 2) / max(above * below, 1))


def _average_precision(values: Array, positive: NDArray[np.bool_]) -> float:
    """Return the mean precision over the positive rows, each at the threshold of its value; 0 without any."""
    thresholds, group = np.unique(-values, return_inverse=True)
    found = np.bincount(group, weights=positive, minlength=len(thresholds))
    precision = np.cumsum(found) / np.cumsum(np.bincount(group, minlength=len(thresholds)))
    return float((found * precision).sum() / max(found.sum(), 1))
