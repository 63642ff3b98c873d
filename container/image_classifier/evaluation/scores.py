"""The score: accuracy with its interval, beside what a constant answer would reach."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from image_classifier.evaluation.evidence import Split
from image_classifier.evaluation.statistics import Interval, Proportion

_LEAST_PROBABILITY = float(np.finfo(np.float32).eps)
"""Lower bound of a label's probability in the log loss, as in scikit-learn for float32."""


@dataclass(frozen=True)
class ClassScore:
    """How one class is recognised."""

    name: str
    precision: Proportion
    """Right answers among those that name the class."""
    recall: Proportion
    """Right answers among the images of the class."""

    @property
    def overlap(self) -> Proportion:
        """Right answers among the images that have the class as label, as answer or as both (Jaccard index)."""
        right = self.recall.count
        return Proportion(right, self.recall.total + self.precision.total - right)

    @property
    def f1(self) -> float:
        """NaN for a class without images and answers."""
        return _f1(self.overlap.value)

    @property
    def f1_interval(self) -> Interval:
        """From the Wilson interval of `overlap`, of which F1 is an increasing function.

        The "Wilson indirect" method of Lam, Gopal and Qian, Confidence intervals for the F1 score (2023). Unlike the
        bootstrap it has a width where all or no answers are right.
        """
        bounds = self.overlap.interval
        return Interval(_f1(bounds.low), _f1(bounds.high))


@dataclass(frozen=True)
class Score:
    """The score of a split."""

    split: str
    accuracy: Proportion
    baseline: Proportion
    """Of always answering `baseline_class`."""
    baseline_class: str
    """The most frequent label; of equal ones the first."""
    macro_f1: float
    """Mean over the classes that are a label or an answer; NaN without images."""
    log_loss: float
    """Mean cross-entropy, nats; NaN without images."""
    classes: tuple[ClassScore, ...]
    """In class order."""

    @property
    def weakest(self) -> ClassScore:
        """The class with the smallest recall, of equal ones that with more images.

        Raises:
            ValueError: The split has no images.
        """
        measured = [each for each in self.classes if each.recall.total]
        return min(measured, key=lambda each: (each.recall.value, -each.recall.total))


def measure(split: Split, class_names: tuple[str, ...]) -> Score:
    """Measure a split that has probabilities."""
    classes, predicted = len(class_names), split.predicted
    right = predicted == split.labels
    labelled = np.bincount(split.labels, minlength=classes)
    answered = np.bincount(predicted, minlength=classes)
    hits = np.bincount(split.labels[right], minlength=classes)
    scores = tuple(
        ClassScore(name, Proportion(int(hit), int(answers)), Proportion(int(hit), int(images)))
        for name, hit, answers, images in zip(class_names, hits, answered, labelled, strict=True)
    )
    f1 = [each.f1 for each in scores if not math.isnan(each.f1)]
    most_frequent = int(labelled.argmax())
    return Score(
        split=split.name,
        accuracy=Proportion(int(hits.sum()), len(split)),
        baseline=Proportion(int(labelled[most_frequent]), len(split)),
        baseline_class=class_names[most_frequent],
        macro_f1=sum(f1) / len(f1) if f1 else math.nan,
        log_loss=math.nan if split.probabilities is None else log_loss(split.probabilities, split.labels),
        classes=scores,
    )


def accuracy_of(split: Split, rows: NDArray[np.int64]) -> Proportion:
    """Return the accuracy on some rows of a split that has probabilities."""
    return Proportion(int((split.predicted[rows] == split.labels[rows]).sum()), len(rows))


def _f1(overlap: float) -> float:
    return 2 * overlap / (1 + overlap)


def log_loss(probabilities: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """Return the mean cross-entropy of (n, K) in nats; NaN without images."""
    if not len(labels):
        return math.nan
    of_label = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return float(-np.log(of_label.clip(_LEAST_PROBABILITY, 1)).mean())
