"""Further copies of the training images, flipped or cropped, kept only where cross-validation says that they help.

Rule: copies are kept when the out-of-fold accuracy rises by more than one standard error of the paired difference.
Flipped copies are tried
only when the head says the same of at least `LEAST_AGREEMENT` of the flipped validation images: where left and right
differ, as in digits, they are other images.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from image_classifier.heads.cross_validation import Selection
from image_classifier.heads.linear_head import LinearHead, predicted
from image_classifier.training.recipes import choice

LEAST_AGREEMENT = 0.9


class View(StrEnum):
    """How a copy differs from its image."""

    FLIPPED = "flipped"
    CROPPED = "cropped"


class ViewFeatures(Protocol):
    """Computes the features of copies; a feature pass each."""

    def training(self, view: View) -> NDArray[np.float32]:
        """Return the features of copies of the training rows, (n, D)."""

    def validation(self, view: View) -> NDArray[np.float32]:
        """Return the features of copies of the validation rows, (m, D)."""


@dataclass(frozen=True)
class Rows:
    """The images themselves."""

    training: NDArray[np.float32]
    """Features (n, D)."""
    labels: NDArray[np.int64]
    """(n,)"""
    validation: NDArray[np.float32]
    """Features (m, D)."""


@dataclass(frozen=True)
class Trial:
    """A view, and the numbers that decided about it."""

    view: View
    images: int
    """Training images that were held out in turn."""
    agreement: float | None = None
    """Share of the validation images of which the head says the same when they are flipped; None when not asked."""
    gained: int | None = None
    lost: int | None = None
    """Held-out images that only the heads with, or without, the copies have right; None when they were not tried."""

    @property
    def kept(self) -> bool:
        """Whether the copies win the paired comparison, see `choice.wins`."""
        return self.gained is not None and self.lost is not None and choice.wins(self.gained, self.lost)


@dataclass(frozen=True)
class Enriched:
    """The selection with the copies that were kept."""

    selection: Selection
    trials: tuple[Trial, ...]


def enrich(
    base: Selection,
    rows: Rows,
    views: ViewFeatures,
    select: Callable[[Sequence[NDArray[np.float32]]], Selection],
) -> Enriched:
    """Try the views one after the other, each in addition to those kept.

    Args:
        base: The selection without copies.
        rows: Its rows, and the validation rows, which choose nothing but whether flips are tried.
        views: Asked only for what is needed.
        select: `cross_validation.select` of the same rows, labels and seed, with its argument as `extra`.
    """
    selection, copies, trials = base, list[NDArray[np.float32]](), list[Trial]()
    held_out = base.held_out
    for view in View:
        trial = Trial(view, len(held_out))
        if view is View.FLIPPED:
            trial = replace(trial, agreement=_agreement(base.head, rows.validation, views.validation(view)))
        if trial.agreement is None or trial.agreement >= LEAST_AGREEMENT:
            candidates = [*copies, views.training(view)]
            found = select(candidates)
            # The folds of both are the same, and so are the rows that they predict.
            without, with_copies = (one.out_of_fold[held_out] for one in (selection, found))
            compared = choice.compare(without, with_copies, rows.labels[held_out])
            trial = replace(trial, gained=compared.only_tuned, lost=compared.only_head)
            if trial.kept:
                selection, copies = found, candidates
        trials.append(trial)
    return Enriched(selection, tuple(trials))


def _agreement(head: LinearHead, features: NDArray[np.float32], of_copies: NDArray[np.float32]) -> float:
    same = predicted(head.probabilities(features)) == predicted(head.probabilities(of_copies))
    return float(same.mean())
