"""Copies among training and validation images: they judge neither the race nor the tuned network."""

from types import SimpleNamespace
from typing import Any

import numpy as np

from image_classifier.training.loop.fitting import Session
from image_classifier.training.recipes import copied_rows
from image_classifier.training.recipes.copied_rows import CopiedRows


def inputs(training: Any, validation: Any) -> Any:
    """Return what the search for copies looks at in a job."""
    splits = (SimpleNamespace(rows=SimpleNamespace(inputs=features)) for features in (training, validation))
    return SimpleNamespace(session=Session(), **dict(zip(("training", "validation"), splits, strict=True)))


def test_copies_are_found_within_training_and_between_the_splits() -> None:
    """Given copies up to rounding in both splits -> the first of each in training; every further one in validation."""
    draw = np.random.default_rng(0)
    one, other = (draw.random((count, 16), np.float32) for count in (20, 8))
    training = np.concatenate([one, one[3:5] * np.float32(1 + 1e-6)])
    found = copied_rows.find(inputs(training, np.concatenate([other, other[:2], one[7:9], training[21:]])), 4)
    assert found.first.tolist() == [*range(20), 3, 4]
    assert found.repeated.tolist() == [False] * 8 + [True] * 5
    assert found.compared(np.array([0, 7, 9, 12])).tolist() == [True, True, False, False]


def test_features_that_are_all_equal_are_not_copies() -> None:
    """Given a backbone that sees nothing -> every training row for itself, and all validation rows compare."""
    found = copied_rows.find(inputs(np.ones((9, 4), np.float32), np.ones((5, 4), np.float32)), 4)
    assert found.first.tolist() == list(range(9))
    assert found.compared(np.arange(5)).all()


def test_where_every_image_is_a_copy_all_compare() -> None:
    """Given validation images that are all copies -> all of them, since none are left to compare on."""
    copied = CopiedRows(np.arange(4), np.array([True, True, False]))
    assert copied.compared(np.array([0, 1])).tolist() == [True, True]
    assert copied.compared(np.array([0, 2])).tolist() == [False, True]
