"""Sentences of a recipe's record."""

from dataclasses import replace

import pytest

from image_classifier.heads.cross_validation import Score
from image_classifier.training.recipes.record import EarlierRecord, FinalistRecord, HeadRecord, TuningRecord

OTHER = FinalistRecord("biases alone", 4, {"0": 0.9, "0.5": 0.85, "1": 0.8})
TUNED = TuningRecord(
    settings="all of it", others=(OTHER,), epochs=8, alpha=0.75, accuracies={"0": 0.9, "0.75": 0.95, "1": 0.94}
)


@pytest.mark.parametrize(
    ("folds", "judged"), [(5, "in 5-fold cross-validation of"), (3, "in 3-fold"), (1, "on one held-out part of")]
)
def test_line_says_by_what_the_head_was_judged(folds: int, judged: str) -> None:
    """Given folds, or a single hold-out as for many images -> the line names it."""
    score = Score(0.9, 0.01, 0.3)
    line = HeadRecord(60_000, 1_280, folds, 0.1, score, {"0.1": score}, 4.0).line()
    assert line.startswith(f"head: accuracy 0.9000 ± 0.0100 {judged}")


def test_line_of_a_tuned_network_compares_it_with_the_other_network() -> None:
    """Given another network that is nowhere as good as the head -> the line has the network's best, not the head's."""
    assert TUNED.line() == (
        "fine-tuning: 8 epochs with all of it, alpha 0.75; and 4 epochs with biases alone: validation accuracy 0.8500 "
        "against 0.9500; 0 s, the race 0 s of them"
    )


def test_line_of_a_tuning_that_stopped_or_did_not_begin() -> None:
    """Given a stop, or a reason against it -> the line says so."""
    stopped = replace(TUNED, others=(), stopped="max_runtime=60: 49 s have passed since the job started.")
    assert stopped.line().startswith(
        "fine-tuning: 8 epochs with all of it, stopped early (max_runtime=60: 49 s have passed since the job started), "
    )
    assert TuningRecord("train_only_top_layer=True").line() == "fine-tuning: no, train_only_top_layer=True"


@pytest.mark.parametrize(("kept", "verdict"), [(True, "kept"), (False, "not kept")])
def test_line_of_an_earlier_head(kept: bool, verdict: str) -> None:
    """Given an earlier job's head -> whether it was kept, with the numbers that decided."""
    assert EarlierRecord(kept, 1_200, 0.8, 0.75, -0.05, 0.01).line() == (
        f"head of the earlier job: {verdict}, accuracy 0.7500 against 0.8000 on 1,200 validation images, difference "
        "-0.0500 ± 0.0100"
    )
