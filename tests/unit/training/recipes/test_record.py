"""Sentences of a recipe's record."""

import pytest

from image_classifier.heads.cross_validation import Score
from image_classifier.training.recipes.record import HeadRecord


@pytest.mark.parametrize(
    ("folds", "judged"), [(5, "in 5-fold cross-validation of"), (3, "in 3-fold"), (1, "on one held-out part of")]
)
def test_line_says_by_what_the_head_was_judged(folds: int, judged: str) -> None:
    """Given folds, or a single hold-out as for many images -> the line names it."""
    score = Score(0.9, 0.01, 0.3)
    line = HeadRecord(60_000, 1_280, folds, 0.1, score, {"0.1": score}, 4.0).line()
    assert line.startswith(f"head: accuracy 0.9000 ± 0.0100 {judged}")
