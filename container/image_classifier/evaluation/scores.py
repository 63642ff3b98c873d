"""The score: accuracy with its interval, beside what a constant answer would reach."""

from dataclasses import dataclass

import numpy as np

from image_classifier.evaluation.evidence import Split
from image_classifier.evaluation.statistics import Interval, Proportion


@dataclass(frozen=True)
class ClassScore:
    """How one class is recognised."""

    name: str
    precision: Proportion
    """Right answers among those that name the class."""
    recall: Proportion
    """Right answers among the images of the class."""
    f1: float
    """NaN for a class without images and answers."""
    f1_interval: Interval
    """By bootstrap over the images, 1,000 resamples with a fixed seed."""


@dataclass(frozen=True)
class Score:
    """The score of a split."""

    split: str
    accuracy: Proportion
    baseline: Proportion
    """Of always answering `baseline_class`."""
    baseline_class: str
    macro_f1: float
    log_loss: float
    """Mean cross-entropy, nats."""
    classes: tuple[ClassScore, ...]
    """In class order."""

    @property
    def weakest(self) -> ClassScore:
        """The class with the smallest recall, of equal ones that with more images."""
        raise NotImplementedError


def measure(split: Split, class_names: tuple[str, ...]) -> Score:
    """Measure a split that has probabilities."""
    raise NotImplementedError


def accuracy_of(split: Split, rows: np.ndarray) -> Proportion:  # type: ignore[type-arg]
    """Return the accuracy on some rows."""
    raise NotImplementedError
