import json
import re

import pytest

from image_classifier.contract import metrics
from tests.image.containers import Job

AS_RECORDED = {
    "train_loss": "loss",
    "train_accuracy": "accuracy",
    "val_loss": "val_loss",
    "val_accuracy": "val_accuracy",
    "validation:accuracy": "val_accuracy",
    "tflow-ic:val-accuracy": "val_accuracy",
}
"""The metrics of a job with two classes and no test channel, by their names in metrics.json."""


def last_match(regex: str, log: str) -> float | None:
    """Return what SageMaker takes for a metric's final value: the first group of the expression's last match."""
    found = re.findall(regex, log)
    return float(found[-1]) if found else None


def test_expressions_find_the_recorded_numbers(trained: Job) -> None:
    """Given a container's log and the metric definitions -> each final value is the one in metrics.json."""
    recorded = json.loads((trained.opt_ml / "output" / "data" / "metrics.json").read_text(encoding="utf-8"))
    regexes = {one["Name"]: one["Regex"] for one in metrics.definitions()}
    found = {name: last_match(regexes[name], trained.log) for name in AS_RECORDED}
    # The log's lines are rounded to six and four decimals.
    assert found == {name: pytest.approx(recorded[key], abs=5.1e-5) for name, key in AS_RECORDED.items()}


def test_what_was_not_measured_is_not_found(trained: Job) -> None:
    """Given a job without a test channel and binary mode -> their expressions match nothing in its log."""
    regexes = {one["Name"]: one["Regex"] for one in metrics.definitions()}
    absent = [name for name in regexes if name.startswith("test_") or "precision" in name or "positives" in name]
    assert absent
    assert {name: last_match(regexes[name], trained.log) for name in absent} == dict.fromkeys(absent)


def test_another_epochs_number_is_not_taken(trained: Job) -> None:
    """Given several epochs with numbers of their own -> the check above can tell the final one from theirs."""
    regex = next(one["Regex"] for one in metrics.definitions() if one["Name"] == "val_loss")
    assert len(set(re.findall(regex, trained.log))) > 1
