"""Choice of the regularisation by stratified cross-validation, and the head fitted with it on all rows."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from image_classifier.heads import fold_table, linear_head
from image_classifier.heads.linear_head import LinearHead
from image_classifier.heads.regularisation_path import Attempt, RegularisationPath
from image_classifier.heads.workers import workers

FOLDS, FOLDS_OF_MANY, MANY = 5, 3, 5_000
"""Folds, and those from `MANY` rows on."""
HOLD_OUT_FROM = 50_000
"""Rows from which one fold in `FOLDS` is held out, once."""
SAMPLE_ROWS, SAMPLE_BYTES = 50_000, 1 << 28
"""Bounds of the rows among which the strength is chosen, in number and in the size of their features."""


@dataclass(frozen=True)
class Score:
    """How well heads predict rows that they were not fitted on."""

    accuracy: float
    """Share of the rows, which count alike."""
    standard_error: float
    """Of the accuracy."""
    log_loss: float
    """Mean cross-entropy in nats, weighted by the sample weights."""


@dataclass(frozen=True)
class Selection:
    """The chosen strength and the head that it gives."""

    head: LinearHead
    """Fitted on all rows."""
    strength: float
    out_of_fold: NDArray[np.float32]
    """Probabilities by heads that did not see the row, (n, K) or (n, 1); NaN for a row that was never held out."""
    scores: Mapping[float, Score]
    """By strength, for all that were tried."""
    folds: int
    """Number of parts that were held out in turn; 1 is a single hold-out."""

    @property
    def held_out(self) -> NDArray[np.int64]:
        """Rows of `out_of_fold` that were held out once."""
        return np.flatnonzero(np.isfinite(self.out_of_fold[:, 0]))

    @property
    def score(self) -> Score:
        """The score of the chosen strength."""
        return self.scores[self.strength]


def select(
    features: NDArray[np.float32],
    labels: NDArray[np.int64],
    classes: int,
    seed: int,
    *,
    binary: bool = False,
    sample_weights: NDArray[np.float32] | None = None,
    many: int | None = None,
    check: Callable[[], None] = lambda: None,
) -> Selection:
    """Choose the strength and fit the head; equal arguments give equal bits, whatever the number of CPUs.

    The folds follow from `labels`, `seed` and which rows are copies of each other; copies are in one fold. Of more
    rows than `SAMPLE_ROWS` only a stratified sample is copied into memory, to choose the strength; the head is then
    fitted on all rows, block by block, so that `features` can be a file larger than memory (np.memmap).

    Args:
        features: (n, D), raw; each head scales them by the rows that it is fitted on.
        labels: Class indices (n,); n is at least 2, and a class may have one row or none.
        classes: K.
        seed: Of the folds, at least 0.
        binary: One output, the logit of class 1; `classes` is 2.
        sample_weights: Float32 (n,), 1 by default.
        many: Rows from which `FOLDS_OF_MANY` folds suffice, `MANY` by default.
        check: Called before each pass over the rows; may raise.

    Raises:
        UserError: A feature is NaN or infinite.
    """
    outputs, count = 1 if binary else classes, len(labels)
    weights = np.ones(count, np.float32) if sample_weights is None else sample_weights
    held_out, limit = _folds(count, MANY if many is None else many), _sample_limit(features.shape[1])
    fold = fold_table.deal_copies_together(features, labels, FOLDS if held_out == 1 else held_out, seed, limit)
    found = _choose(_Rows(features, labels, weights, fold), held_out, outputs, check)
    strength, head = found.attempt.strength, found.head
    if count > limit:
        head = linear_head.fit(
            features,
            labels,
            classes,
            strength,
            binary=binary,
            sample_weights=weights,
            start=head,
            check=check,
        )
    out_of_fold = np.full((count, outputs), np.nan, np.float32)
    out_of_fold[found.rows] = found.attempt.probabilities
    return Selection(head, strength, out_of_fold, found.scores, held_out)


@dataclass(frozen=True)
class _Rows:
    features: NDArray[np.float32]
    labels: NDArray[np.int64]
    weights: NDArray[np.float32]
    fold: NDArray[np.int64]
    """See `fold_table.deal`."""


@dataclass(frozen=True)
class _Chosen:
    attempt: Attempt
    head: LinearHead
    """Fitted on all folds."""
    rows: NDArray[np.int64]
    """The rows that `attempt.probabilities` are of."""
    scores: Mapping[float, Score]


def _choose(rows: _Rows, held_out: int, outputs: int, check: Callable[[], None]) -> _Chosen:
    scores: dict[float, Score] = {}
    with workers() as threads:
        table = fold_table.build(rows.features, rows.labels, rows.weights, rows.fold, threads)
        problems = [table.problem(fold, outputs, threads, check) for fold in range(held_out)]
        chosen = RegularisationPath(table, problems).walk(lambda one: scores.update({one.strength: _score(one)}))
        whole = table.problem(None, outputs, threads, check)
        # The mean of the folds' heads is close to the optimum of all rows.
        start = np.mean(chosen.weights, axis=0)
        weights = whole.solve(chosen.strength, start, whole.gradient_scale())
    head = linear_head.from_weights(weights, whole.scaling.shifted(table.centre))
    return _Chosen(chosen, head, np.concatenate(table.rows[:held_out]), scores)


def _folds(rows: int, many: int) -> int:
    if rows >= HOLD_OUT_FROM:
        return 1
    return min(FOLDS_OF_MANY if rows >= many else FOLDS, rows)


def _sample_limit(width: int) -> int:
    return max(min(SAMPLE_ROWS, SAMPLE_BYTES // (4 * width)), FOLDS)


def _score(attempt: Attempt) -> Score:
    accuracy = attempt.accuracy
    standard_error = float(np.sqrt(accuracy * (1 - accuracy) / len(attempt.right)))
    return Score(accuracy, standard_error, attempt.log_loss)
