"""What a search leaves for people: the log's block, the record, search.csv."""

import csv
import json
from pathlib import Path
from typing import Any

from image_classifier.contract import hyperparameters
from image_classifier.training.export import report
from image_classifier.training.recipes import search_report, trial
from image_classifier.training.recipes.search import SearchResult
from image_classifier.training.trained import Table
from tests.unit.training.recipes.searching import NAMES, finished

BEST: dict[str, Any] = {"learning_rate": 0.0123, "optimizer": "sgd", "regularizers_l2": 1.23e-6}
TRIALS = (
    finished(0, [0.5, 0.5, 0.5]),
    finished(1, [0.75, 0.875], **BEST),
    finished(2, [0.25], trial.PRUNED),
    finished(3, [], trial.DIVERGED),
)
RESULT = SearchResult(TRIALS, "accuracy", 5)


def test_block_says_what_is_best_and_compared_with_what() -> None:
    """Given four trials -> their number and time, what judged them, the best and the job's own score."""
    first, second, third = search_report.lines(RESULT)
    assert first == (
        "Search: 4 trials in 1.0 s, 1 of them pruned and 1 diverged; judged by accuracy in 5-fold cross-validation of "
        "the training images"
    )
    assert second == (
        "Search: best is trial 1 with 0.8750 after 2 epochs; the job's own values, trial 0, 0.5000 after 3 epochs"
    )
    assert third.startswith("Search: the same by hand, beside what was given: recipe=builtin train_only_top_layer=True")


def test_values_by_hand_are_the_best_trials() -> None:
    """Given the line of values -> the parser reads from it exactly what the search chose."""
    words = search_report.lines(RESULT)[-1].split("recipe=builtin ")[1].split()
    given = hyperparameters.parse(dict(word.split("=") for word in words)).values
    assert given.train_only_top_layer
    assert {name: getattr(given, name) for name in NAMES} == TRIALS[1].values


def test_block_of_a_search_that_was_stopped() -> None:
    """Given a stop with and without a finished trial -> the block says so, and which values stay."""
    some = search_report.lines(SearchResult(TRIALS[:2], "accuracy", 1, "a stop was requested"))
    assert "in a held-out 33% of the training images" in some[0]
    assert some[1] == "Search: stopped early, since a stop was requested"
    nothing = search_report.lines(SearchResult((), "accuracy", 1, "a stop was requested"))
    assert nothing[-1] == "Search: no trial reached its last epoch, so the job's own values stay"


def test_block_of_own_values_that_diverged() -> None:
    """Given a first trial whose loss became infinite in its third epoch -> the block says so, in place of a score."""
    trials = (finished(0, [0.5, 0.25], trial.DIVERGED), TRIALS[1])
    [line] = [one for one in search_report.lines(SearchResult(trials, "accuracy", 5)) if "trial 0" in one]
    assert line.endswith("; the job's own values, trial 0, diverged in epoch 3")


def test_record_is_json() -> None:
    """Given results with and without trials -> numbers and the best values, as JSON."""
    record = json.loads(json.dumps(search_report.to_json(RESULT)))
    assert (record["trials"], record["pruned"], record["diverged"], record["best_trial"]) == (4, 1, 1, 1)
    assert (record["best_score"], record["own_score"]) == (0.875, 0.5)
    assert record["best_values"] == TRIALS[1].values
    assert record["stopped"] is False
    empty = search_report.to_json(SearchResult((), "accuracy", 1, "a stop was requested"))
    assert empty["stopped"] is True
    assert (empty["best_trial"], empty["best_values"], empty["own_score"]) == (None, {}, None)


def test_table_has_a_row_a_trial(tmp_path: Path) -> None:
    """Given four trials -> search.csv has each with values, score, epochs, state and seconds, and marks the best."""
    report.write_table(tmp_path, Table("search.csv", *search_report.table(RESULT)))
    with (tmp_path / "search.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["trial"] for row in rows] == ["0", "1", "2", "3"]
    assert [row["best"] for row in rows] == ["", "yes", "", ""]
    assert [row["state"] for row in rows] == ["finished", "finished", "pruned", "diverged"]
    assert [row["accuracy"] for row in rows] == ["0.500000", "0.875000", "0.250000", ""]
    assert [row["epochs_run"] for row in rows] == ["3", "2", "1", "0"]
    assert (rows[1]["learning_rate"], rows[1]["regularizers_l2"]) == ("0.0123", "0.00000123")
    assert {row["seconds"] for row in rows} == {"0.250"}
