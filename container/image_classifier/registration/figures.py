"""The headline figures of `evaluation.json`: the accuracy with its interval, beside the best constant classifier."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from image_classifier.contract import gate_files, report_files
from image_classifier.contract.errors import UserError
from image_classifier.evaluation.statistics import Proportion

_KINDS = ("binary_classification_metrics", "multiclass_classification_metrics")
_METRICS = "metrics.json"
"""Of a training job; it has the verdict of the report."""


@dataclass(frozen=True)
class Figures:
    """The score of a model; shares are between 0 and 1."""

    accuracy: Proportion
    constant: float
    """Accuracy of the best constant classifier: always answering the most frequent class."""
    verdict: str = ""
    """Of the report; empty if none is recorded."""

    @property
    def margin(self) -> float:
        """How far the lower bound of the accuracy is above the best constant classifier; negative below it."""
        return self.accuracy.interval.low - self.constant

    @property
    def sentence(self) -> str:
        """The accuracy in words."""
        share, interval = self.accuracy, self.accuracy.interval
        return (
            f"Accuracy {share.value:.4f}, 95 % interval {interval.low:.4f} to {interval.high:.4f}, on {share.total:,} "
            f"images; the best constant classifier reaches {self.constant:.4f}."
        )

    def as_properties(self) -> dict[str, str]:
        """Return the figures as texts, for the metadata of a registered version."""
        interval = self.accuracy.interval
        found = {
            "accuracy": f"{self.accuracy.value:.4f}",
            "accuracy-low": f"{interval.low:.4f}",
            "accuracy-high": f"{interval.high:.4f}",
            "accuracy-of-best-constant": f"{self.constant:.4f}",
            "images": str(self.accuracy.total),
        }
        return {**found, **({"verdict": self.verdict} if self.verdict else {})}

    def as_json(self) -> dict[str, Any]:
        """Return the figures as numbers, for the conditions of a pipeline."""
        interval = self.accuracy.interval
        return {
            "accuracy": self.accuracy.value,
            gate_files.ACCURACY_LOW: interval.low,
            "accuracy_high": interval.high,
            "accuracy_of_best_constant": self.constant,
            gate_files.MARGIN: self.margin,
            "correct": self.accuracy.count,
            "images": self.accuracy.total,
            gate_files.VERDICT: self.verdict,
        }


def read(folder: Path) -> Figures:
    """Read the figures of a report's folder: a job's `output/data`, or what `scripts/evaluate` wrote.

    Raises:
        UserError: `evaluation.json` is missing, or has another form.
    """
    path = folder / report_files.MODEL_QUALITY
    try:
        found = json.loads(path.read_bytes())
    except OSError as error:
        raise UserError(
            f"{path} cannot be read ({error.strerror}). A job with report=True writes it before it runs out of time, "
            "and so does scripts/evaluate for any model and labelled images."
        ) from error
    except ValueError as error:
        raise UserError(f"{path} is not JSON: {error}.") from error
    try:
        return _figures(found, _verdict(folder))
    except (KeyError, TypeError, AttributeError, ValueError, StopIteration) as error:
        raise UserError(
            f"{path} is not an evaluation of a classifier: expected one of {' or '.join(_KINDS)} with a "
            "confusion_matrix and accuracy_best_constant_classifier."
        ) from error


def _figures(found: Mapping[str, Any], verdict: str) -> Figures:
    metrics = next(found[kind] for kind in _KINDS if kind in found)
    matrix = metrics["confusion_matrix"]
    correct = sum(int(row.get(label, 0)) for label, row in matrix.items())
    total = sum(int(count) for row in matrix.values() for count in row.values())
    if not total:
        raise ValueError("no image")
    return Figures(Proportion(correct, total), float(metrics["accuracy_best_constant_classifier"]["value"]), verdict)


def _verdict(folder: Path) -> str:
    """Return the verdict of a job's report; empty where the folder is not a job's."""
    try:
        return str(json.loads((folder / _METRICS).read_bytes()).get("verdict", ""))
    except (OSError, ValueError, AttributeError):
        return ""
