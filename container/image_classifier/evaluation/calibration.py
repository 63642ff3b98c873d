"""Calibration: whether a probability of 0.9 is right nine times out of ten, and one temperature that makes it so."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from image_classifier.evaluation.evidence import Split
from image_classifier.evaluation.statistics import Interval, Proportion

LEAST_IMAGES = 100
"""Images below which no temperature is fitted."""
TEMPERATURE_RANGE = (0.2, 5.0)


@dataclass(frozen=True)
class Bin:
    """Images of similar confidence: a point of the reliability diagram."""

    confidence: float
    """Mean probability of the predicted class."""
    accuracy: Proportion


@dataclass(frozen=True)
class Threshold:
    """What answering only above a confidence gives."""

    confidence: float
    coverage: Proportion
    """Images that are answered."""
    accuracy: Proportion
    """Of the answered ones."""
    precision: float
    """Macro average over the classes that are answered; NaN if nothing is."""
    recall: float
    """Macro average of the images of each class that are answered, and right."""


@dataclass(frozen=True)
class Calibration:
    """Calibration of a split's probabilities."""

    bins: tuple[Bin, ...]
    """Equal-mass bins: 15, fewer below 150 images."""
    ece: float
    """Expected calibration error of the top-1 confidence over `bins`."""
    ece_interval: Interval
    """By bootstrap, 1,000 resamples with a fixed seed."""
    nll: float
    """Mean negative log-likelihood, nats."""
    brier: float
    """Mean squared distance of the probabilities from the one-hot label, summed over classes, [0, 2]."""
    temperature: float | None
    """By which logits are divided; fitted on all images. None below `LEAST_IMAGES`."""
    ece_after: float | None
    """ECE of the probabilities after temperatures that were fitted on the other folds (5, stratified)."""
    nll_after: float | None
    thresholds: tuple[Threshold, ...]
    """At 0.5, 0.6, 0.7, 0.8, 0.9, 0.95 and 0.99, as far as images are answered."""


def measure(split: Split) -> Calibration:
    """Measure a split that has probabilities."""
    raise NotImplementedError


def fit_temperature(probabilities: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """Return the temperature in `TEMPERATURE_RANGE` of the smallest cross-entropy.

    Guo et al., On calibration of modern neural networks (2017). Logits are the logarithms of the probabilities (n, K),
    equal to the network's up to a constant in each row.
    """
    raise NotImplementedError


def apply_temperature(probabilities: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
    """Return softmax(log p / T), (n, K)."""
    raise NotImplementedError
