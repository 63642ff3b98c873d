"""The head fitted again on corrected labels, and compared with one fitted on the labels as they were.

Both heads are fitted by the same solver with the same regularisation and judged on the same held-out images by the
corrected labels, so that the labels of the training images are all that differs between them.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from image_classifier.console.judging.corrections import EXCLUDED, SHOWN, Corrections, Refit
from image_classifier.contract.errors import UserError
from image_classifier.evaluation import paired
from image_classifier.evaluation.evidence import TRAINING, Evidence
from image_classifier.evaluation.statistics import Proportion
from image_classifier.heads import centred_rows, cross_validation, linear_head
from image_classifier.heads.centred_rows import CentredRows
from image_classifier.heads.linear_head import LinearHead

_SEED = 0


@dataclass(frozen=True)
class Before:
    """What does not depend on the corrections."""

    training: CentredRows
    judged: NDArray[np.float32]
    """Features (m, D)."""
    strength: float
    head: LinearHead
    """Fitted on the labels as they were."""


def prepare(evidence: Evidence, features: Callable[[str], NDArray[np.float32]]) -> Before:
    """Fit the head on the labels of the job; `features` are those of a split, by its name.

    Raises:
        UserError: The job left no features.
    """
    training = evidence.training
    if training is None:
        raise UserError("The training images of this result are not known, so no head can be fitted again.")
    of_training, of_judged = features(TRAINING), features(evidence.judged.name)
    classes, strength = len(evidence.class_names), evidence.strength
    if strength is None:
        strength = cross_validation.select(
            of_training, training.labels, classes, _SEED, sample_weights=_weights(evidence, training.labels)
        ).strength
    rows = centred_rows.centred(of_training)
    head = rows.fit(training.labels, classes, strength, _weights(evidence, training.labels))
    return Before(rows, of_judged, strength, head)


def measure(evidence: Evidence, before: Before, corrections: Corrections) -> Refit:
    """Fit the head on corrected labels and compare it.

    Raises:
        UserError: The corrections leave no training image, or no judged image.
    """
    started = time.monotonic()
    training, judged = evidence.training, evidence.judged
    assert training is not None
    labels, kept = _corrected(training.labels, corrections.labels.get(TRAINING, {}))
    expected, judged_rows = _corrected(judged.labels, corrections.labels.get(judged.name, {}))
    if not len(kept) or not len(judged_rows):
        raise UserError("All training images or all held-out images were dropped. Undo some of it.")
    weights = _weights(evidence, labels.clip(0))
    weights = np.ones(len(labels), np.float32) if weights is None else weights
    head = before.training.fit(
        labels.clip(0), len(corrections.class_names), before.strength, np.where(labels == EXCLUDED, 0, weights)
    )
    features = before.judged[judged_rows]
    right_before, right_after = (
        linear_head.predicted(one.logits(features)) == expected[judged_rows] for one in (before.head, head)
    )
    return Refit(
        before=Proportion(int(right_before.sum()), len(judged_rows)),
        after=Proportion(int(right_after.sum()), len(judged_rows)),
        counts=paired.count(right_before, right_after),
        better=tuple(judged_rows[right_after & ~right_before][:SHOWN].tolist()),
        worse=tuple(judged_rows[right_before & ~right_after][:SHOWN].tolist()),
        training_changed=corrections.count(TRAINING, excluded=False),
        training_excluded=corrections.count(TRAINING, excluded=True),
        judged_changed=corrections.count(judged.name, excluded=False),
        judged_excluded=corrections.count(judged.name, excluded=True),
        images=len(kept),
        strength=before.strength,
        seconds=time.monotonic() - started,
    )


def _corrected(labels: NDArray[np.int64], changed: Mapping[int, int]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return all labels after the corrections, and the rows that are not excluded."""
    found = labels.copy()
    found[list(changed)] = list(changed.values())
    return found, np.flatnonzero(found != EXCLUDED)


def _weights(evidence: Evidence, labels: NDArray[np.int64]) -> NDArray[np.float32] | None:
    if not evidence.class_weights:
        return None
    by_class = np.ones(max(int(labels.max()) + 1, len(evidence.class_weights)), np.float32)
    by_class[: len(evidence.class_weights)] = evidence.class_weights
    return by_class[labels]
