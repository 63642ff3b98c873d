"""Heads of all folds from strong to weak regularisation, each starting from the one before.

Rule of the choice: among the strengths whose out-of-fold log loss is within one paired standard error of the least, the
most accurate; ties to the stronger regularisation. The path ends at a strength whose log loss is more than that above
the least.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from image_classifier.heads import linear_head
from image_classifier.heads.fold_table import FoldTable
from image_classifier.heads.logistic_regression import Problem, Weights

STRENGTHS = (1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0, 3.0, 1e1, 3e1, 1e2, 3e2, 1e3)
"""scikit-learn's C, from the strongest regularisation to the weakest."""


@dataclass(frozen=True)
class Attempt:
    """The heads of all folds at one strength, and what they say of the rows that they were not fitted on."""

    strength: float
    weights: tuple[Weights, ...]
    """By fold."""
    probabilities: NDArray[np.float32]
    """(m, K) or (m, 1), fold after fold."""
    right: NDArray[np.bool_]
    """(m,)"""
    losses: NDArray[np.float64]
    """(m,) cross-entropy in nats, times the row's weight over the mean weight."""

    @property
    def log_loss(self) -> float:
        """The weighted mean cross-entropy."""
        return float(self.losses.mean())

    @property
    def accuracy(self) -> float:
        """Share of the rows."""
        return float(self.right.mean())

    def is_clearly_worse(self, other: "Attempt") -> bool:
        """Return whether the log loss is larger by more than one standard error of the rows' differences."""
        difference = self.losses - other.losses
        return bool(difference.mean() > difference.std() / np.sqrt(len(difference)))


@dataclass(frozen=True)
class RegularisationPath:
    """Problems of the folds that are held out in turn; `table` may have further folds, which never are."""

    table: FoldTable
    problems: Sequence[Problem]

    def walk(self, note: Callable[[Attempt], None]) -> Attempt:
        """Return the attempt that the rule chooses; `note` gets each one."""
        scales = [problem.gradient_scale() for problem in self.problems]
        weights = tuple(problem.zero() for problem in self.problems)
        candidates: list[Attempt] = []
        for strength in STRENGTHS:
            folds = zip(self.problems, weights, scales, strict=True)
            weights = tuple(problem.solve(strength, start, scale) for problem, start, scale in folds)
            attempt = self._attempt(strength, weights)
            note(attempt)
            candidates.append(attempt)
            least = min(candidates, key=lambda candidate: candidate.log_loss)
            candidates = [candidate for candidate in candidates if not candidate.is_clearly_worse(least)]
            if candidates[-1] is not attempt:
                break
        return max(candidates, key=lambda candidate: candidate.accuracy)

    def _attempt(self, strength: float, weights: tuple[Weights, ...]) -> Attempt:
        held_out = [self.table.blocks[fold] for fold in range(len(self.problems))]
        folds = zip(self.problems, weights, held_out, strict=True)
        logits = np.concatenate([problem.logits(block, own) for problem, own, part in folds for block in part])
        labels = np.concatenate([block.labels for part in held_out for block in part])
        row_weights = np.concatenate([block.weights for part in held_out for block in part])
        losses = _cross_entropy(logits, labels) * (row_weights / row_weights.mean(dtype=np.float64))
        probabilities = linear_head.probabilities(logits)
        return Attempt(strength, weights, probabilities, linear_head.predicted(probabilities) == labels, losses)


def _cross_entropy(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return (m,) of logits (m, K), or (m, 1) of class 1."""
    if logits.shape[1] == 1:
        # Two classes with the logits 0 and z.
        logits = np.hstack([np.zeros_like(logits), logits])
    exact = logits.astype(np.float64)
    losses: NDArray[np.float64] = special.logsumexp(exact, axis=1) - exact[np.arange(len(labels)), labels]
    return losses
