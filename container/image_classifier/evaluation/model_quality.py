"""evaluation.json: the score in the schema of SageMaker Model Monitor's model quality metrics.

https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-model-quality-metrics.html
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from image_classifier.evaluation import threshold_curves
from image_classifier.evaluation.evidence import Evidence
from image_classifier.evaluation.mistakes import confusion_matrix

LEAST_SAMPLES = 200
"""Images below which Model Monitor gives no standard deviation."""
NAN = "NaN"
"""JSON has no NaN; Model Monitor writes this string."""
MAX_POINTS = 1000
"""Points of a curve, so that the file stays small however many images there are."""
_SAMPLES, _SHARE, _SEED = 5, 0.8, 0
_BETAS = {"f0_5": 0.5, "f1": 1.0, "f2": 2.0}
_DENSE_CLASSES = 100


def build(evidence: Evidence) -> dict[str, Any]:
    """Return the contents of evaluation.json for the judged images; of two classes the second is the positive one.

    Figures of the best constant classifier are the best that one constant answer reaches: the most frequent class, and
    for precision, recall and F of two classes the positive one. Standard deviations are those of five random samples
    of 80 % of the images. Above 100 classes the confusion matrix has the cells that are not 0.

    Raises:
        ValueError: The judged images have no probabilities.
    """
    judged, names = evidence.judged, evidence.class_names
    if judged.probabilities is None:
        raise ValueError(f"{judged.name} has no probabilities")
    binary = len(names) == 2
    matrix = confusion_matrix(judged, len(names))
    metrics: dict[str, Any] = {
        "confusion_matrix": {
            name: {
                other: int(count)
                for other, count in zip(names, row, strict=True)
                if count or len(names) <= _DENSE_CLASSES
            }
            for name, row in zip(names, matrix, strict=True)
        },
        **_with_deviations(judged.labels, judged.probabilities, binary),
    }
    if binary:
        metrics |= _curves(judged.labels, judged.probabilities[:, 1])
    return {f"{'binary' if binary else 'multiclass'}_classification_metrics": metrics}


def _with_deviations(
    labels: NDArray[np.int64], probabilities: NDArray[np.float32], binary: bool
) -> dict[str, dict[str, float | str]]:
    compute = _binary_metrics if binary else _multiclass_metrics
    values, count = compute(labels, probabilities), len(labels)
    samples: list[Mapping[str, float]] = []
    if count >= LEAST_SAMPLES:
        rng = np.random.default_rng(_SEED)
        drawn = (rng.choice(count, round(_SHARE * count), replace=False) for _ in range(_SAMPLES))
        samples = [compute(labels[rows], probabilities[rows]) for rows in drawn]
    return {
        name: {
            "value": _number(value),
            "standard_deviation": _number(float(np.std([each[name] for each in samples], ddof=1))) if samples else NAN,
        }
        for name, value in values.items()
    }


def _multiclass_metrics(labels: NDArray[np.int64], probabilities: NDArray[np.float32]) -> dict[str, float]:
    if not len(labels):
        answers = constant = labels
    else:
        answers, constant = probabilities.argmax(axis=1), np.full_like(labels, np.bincount(labels).argmax())
    return _weighted(labels, answers) | _named_constant(_weighted(labels, constant))


def _weighted(labels: NDArray[np.int64], answers: NDArray[np.int64]) -> dict[str, float]:
    """Averages of the classes, weighted by their images."""
    if not len(labels):
        return dict.fromkeys(_names("weighted_"), math.nan)
    size = int(max(labels.max(), answers.max())) + 1
    labelled, answered, right = (
        np.bincount(rows, minlength=size) for rows in (labels, answers, labels[labels == answers])
    )
    shares = labelled / len(labels)
    averages = {name: float(shares @ each) for name, each in _of_classes(right, labelled, answered).items()}
    return {"accuracy": float((labels == answers).mean())} | {
        f"weighted_{name}": value for name, value in averages.items()
    }


def _of_classes(
    right: NDArray[np.int64], labelled: NDArray[np.int64], answered: NDArray[np.int64]
) -> dict[str, NDArray[np.float64]]:
    """Return recall, precision and F of each class, (K,) by their name; 0 where nothing is labelled or answered so."""

    def share(weight: float, of: NDArray[np.integer] | NDArray[np.floating]) -> NDArray[np.float64]:
        return np.asarray(weight * right / np.where(of > 0, of, 1), np.float64)

    return {
        "recall": share(1, labelled),
        "precision": share(1, answered),
        **{name: share(1 + beta**2, beta**2 * labelled + answered) for name, beta in _BETAS.items()},
    }


def _binary_metrics(labels: NDArray[np.int64], probabilities: NDArray[np.float32]) -> dict[str, float]:
    positives, answers = labels.astype(bool), probabilities.argmax(axis=1).astype(bool)
    constant = _of_positives(positives, np.ones_like(positives))
    constant["accuracy"] = max(constant["accuracy"], 1 - constant["accuracy"])
    both = positives.any() and not positives.all()
    true_positive = _share(answers[positives])
    false_positive = _share(answers[~positives])
    return {
        **_of_positives(positives, answers),
        **_named_constant(constant),
        "true_positive_rate": true_positive,
        "true_negative_rate": 1 - false_positive,
        "false_positive_rate": false_positive,
        "false_negative_rate": 1 - true_positive,
        "auc": threshold_curves.area(positives, probabilities[:, 1]) if both else math.nan,
    }


def _of_positives(positives: NDArray[np.bool_], answers: NDArray[np.bool_]) -> dict[str, float]:
    """The metrics of the positive class; 0 where nothing is positive or answered so."""
    if not len(positives):
        return dict.fromkeys(_names(""), math.nan)
    counts = (np.array([rows.sum()]) for rows in (positives & answers, positives, answers))
    return {"accuracy": float((positives == answers).mean())} | {
        name: float(values[0]) for name, values in _of_classes(*counts).items()
    }


def _names(prefix: str) -> list[str]:
    return ["accuracy", *(f"{prefix}{name}" for name in ("recall", "precision", *_BETAS))]


def _named_constant(metrics: Mapping[str, float]) -> dict[str, float]:
    return {f"{name}_best_constant_classifier": value for name, value in metrics.items()}


def _curves(labels: NDArray[np.int64], probabilities: NDArray[np.float32]) -> dict[str, dict[str, list[float]]]:
    """The ROC and the precision-recall curve, both by ascending rates; empty where one of the classes has no image."""
    empty = np.empty(0)
    false_rates = true_rates = precisions = recalls = empty
    if len(np.unique(labels)) == 2:
        false_rates, true_rates = threshold_curves.roc(labels == 1, probabilities)
        precisions, recalls = threshold_curves.precision_recall(labels == 1, probabilities)
    return {
        "receiver_operating_characteristic_curve": {
            "false_positive_rates": _thinned(false_rates),
            "true_positive_rates": _thinned(true_rates),
        },
        "precision_recall_curve": {"precisions": _thinned(precisions), "recalls": _thinned(recalls)},
    }


def _thinned(values: NDArray[np.float64]) -> list[float]:
    rows = np.unique(np.linspace(0, len(values) - 1, min(len(values), MAX_POINTS)).round().astype(int))
    found: list[float] = values[rows].tolist()
    return found


def _share(values: NDArray[np.bool_]) -> float:
    return float(values.mean()) if len(values) else math.nan


def _number(value: float) -> float | str:
    return NAN if math.isnan(value) else float(value)
