"""Calibration: whether a probability of 0.9 is right nine times out of ten, and one temperature that makes it so."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from image_classifier.evaluation import stratified
from image_classifier.evaluation.evidence import Split
from image_classifier.evaluation.scores import log_loss
from image_classifier.evaluation.statistics import Interval, Proportion

LEAST_IMAGES = 100
"""Images below which no temperature is fitted."""
TEMPERATURE_RANGE = (0.2, 5.0)
THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
_BINS, _IMAGES_OF_A_BIN = 15, 10
_RESAMPLES, _SEED, _FOLDS = 1000, 0, 5
_LEAST_PROBABILITY = float(np.finfo(np.float32).tiny)
"""Keeps logarithms of probabilities finite: the smallest normal float32, e^-87."""


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
    """Equal-mass bins: 15, fewer below 150 images, and where images of equal confidence would be separated."""
    ece: float
    """Expected calibration error of the top-1 confidence over `bins`."""
    ece_by_chance: float
    """95 % quantile of the ECE that perfectly calibrated probabilities would show on as many images.

    Broecker and Smith, Increasing the reliability of reliability diagrams (2007).
    """
    ece_interval: Interval
    """95 % bootstrap interval (1,000 resamples) about `ece`; from 0 where `ece` does not exceed `ece_by_chance`.

    It is moved to `ece`, since ECE is larger on a resample, which has the noise twice.
    """
    nll: float
    """Mean negative log-likelihood, nats: `scores.log_loss`."""
    brier: float
    """Mean squared distance of the probabilities from the one-hot label, summed over classes, [0, 2]."""
    temperature: float | None
    """By which logits are divided; fitted on all images. None below `LEAST_IMAGES`."""
    ece_after: float | None
    """ECE of the probabilities after temperatures that were fitted on the other folds (5, stratified)."""
    nll_after: float | None
    thresholds: tuple[Threshold, ...]
    """At `THRESHOLDS`, as far as images are answered."""


def measure(split: Split) -> Calibration:
    """Measure a split that has probabilities.

    Raises:
        ValueError: It has no probabilities or no images.
    """
    probabilities, labels = split.probabilities, split.labels
    if probabilities is None or not len(split):
        raise ValueError(f"{split.name} has no probabilities")
    by_chance = _ece_by_chance(probabilities)
    temperature = ece_after = nll_after = None
    if len(split) >= LEAST_IMAGES:
        temperature = fit_temperature(probabilities, labels)
        after = _cross_fitted(probabilities, labels)
        ece_after, nll_after = expected_calibration_error(after, labels), log_loss(after, labels)
    return Calibration(
        bins=_bins(probabilities, labels),
        ece=expected_calibration_error(probabilities, labels),
        ece_by_chance=by_chance,
        ece_interval=_ece_interval(probabilities, labels, by_chance),
        nll=log_loss(probabilities, labels),
        brier=_brier(probabilities, labels),
        temperature=temperature,
        ece_after=ece_after,
        nll_after=nll_after,
        thresholds=_thresholds(probabilities, labels),
    )


def fit_temperature(probabilities: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """Return the temperature in `TEMPERATURE_RANGE` of the smallest cross-entropy.

    Guo et al., On calibration of modern neural networks (2017). Logits are the logarithms of the probabilities (n, K),
    equal to the network's up to a constant in each row.
    """
    from scipy.optimize import minimize_scalar

    logits, bounds = _logits(probabilities), tuple(map(math.log, TEMPERATURE_RANGE))
    found = minimize_scalar(
        lambda log_t: _nll(logits, labels, math.exp(log_t)), bounds=bounds, method="bounded", options={"xatol": 1e-4}
    )
    return float(np.clip(math.exp(found.x), *TEMPERATURE_RANGE))


def apply_temperature(probabilities: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
    """Return softmax(log p / T), (n, K)."""
    return np.exp(_log_softmax(_logits(probabilities) / np.float32(temperature)))


def expected_calibration_error(probabilities: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """Return the equal-mass ECE of the top-1 confidence of (n, K): the mean gap of a bin, weighted by its images.

    Nixon et al., Measuring calibration in deep learning (2019).
    """
    confidence, right = _top(probabilities, labels)
    return _mean_gap(_bin_of(confidence), right - confidence)


def change_of_calibration_error(
    before: NDArray[np.float32], after: NDArray[np.float32], labels: NDArray[np.int64]
) -> float:
    """Return by how much the ECE of `after`, (n, K), exceeds that of `before`, of the same images and in its bins.

    In bins of its own, images at the edges would change bins, which alone moves the ECE of some hundred images by a
    point or two. So without other answers the change is at most the mean change of the confidence.
    """
    (confidence, right), (later, later_right) = _top(before, labels), _top(after, labels)
    bin_of = _bin_of(confidence)
    return _mean_gap(bin_of, later_right - later) - _mean_gap(bin_of, right - confidence)


def _top(
    probabilities: NDArray[np.float32], labels: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the confidence of the answer of each image, and whether it is right."""
    return probabilities.max(axis=1).astype(np.float64), probabilities.argmax(axis=1) == labels


def _bin_of(confidence: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the equal-mass bin of each image; images of equal confidence share one.

    Files are sorted by class, so separating equal confidences by row would measure classes instead of confidences.
    """
    count = len(confidence)
    bins = max(min(_BINS, count // _IMAGES_OF_A_BIN), 1)
    ordered = np.sort(confidence)
    starts = ordered[np.arange(1, bins) * count // bins]
    return np.unique(np.searchsorted(np.unique(starts), confidence, side="right"), return_inverse=True)[1]


def _bins(probabilities: NDArray[np.float32], labels: NDArray[np.int64]) -> tuple[Bin, ...]:
    confidence, right = _top(probabilities, labels)
    bin_of = _bin_of(confidence)
    totals, sums, hits = (np.bincount(bin_of, weights) for weights in (None, confidence, right))
    return tuple(
        Bin(float(total_confidence / total), Proportion(int(hit), int(total)))
        for total, total_confidence, hit in zip(totals, sums, hits, strict=True)
    )


def _ece_by_chance(probabilities: NDArray[np.float32]) -> float:
    confidence, rng = probabilities.max(axis=1).astype(np.float64), np.random.default_rng(_SEED)
    bin_of = _bin_of(confidence)
    drawn = (rng.random(len(confidence)) < confidence for _ in range(_RESAMPLES))
    return float(np.quantile([_mean_gap(bin_of, right - confidence) for right in drawn], 0.95))


def _ece_interval(probabilities: NDArray[np.float32], labels: NDArray[np.int64], by_chance: float) -> Interval:
    confidence, right = _top(probabilities, labels)
    bin_of, gaps, rng = _bin_of(confidence), right - confidence, np.random.default_rng(_SEED)
    draws = (rng.integers(len(labels), size=len(labels)) for _ in range(_RESAMPLES))
    resampled = [_mean_gap(bin_of[rows], gaps[rows]) for rows in draws]
    ece, centre = _mean_gap(bin_of, gaps), np.mean(resampled)
    low, high = ece + np.quantile(resampled, (0.025, 0.975)) - centre
    return Interval(0.0 if ece <= by_chance else max(float(low), 0.0), min(float(high), 1.0))


def _mean_gap(bin_of: NDArray[np.int64], gaps: NDArray[np.float64]) -> float:
    return float(np.abs(np.bincount(bin_of, weights=gaps)).sum() / len(gaps))


def _logits(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.log(np.maximum(probabilities, np.float32(_LEAST_PROBABILITY)))


def _log_softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    shifted = logits - logits.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


def _nll(logits: NDArray[np.float32], labels: NDArray[np.int64], temperature: float) -> float:
    of_labels = _log_softmax(logits / np.float32(temperature))[np.arange(len(labels)), labels]
    return float(-of_labels.mean(dtype=np.float64))


def _brier(probabilities: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    of_label = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    squares = np.einsum("nk,nk->n", probabilities, probabilities, dtype=np.float64)
    return float((squares - 2 * of_label + 1).mean())


def _cross_fitted(probabilities: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the probabilities after temperatures that were fitted on the other folds."""
    by_class = stratified.by_class(labels, _SEED)
    after = np.empty_like(probabilities)
    for fold in range(_FOLDS):
        held_out = np.zeros(len(labels), bool)
        held_out[by_class[fold::_FOLDS]] = True
        temperature = fit_temperature(probabilities[~held_out], labels[~held_out])
        after[held_out] = apply_temperature(probabilities[held_out], temperature)
    return after


def _thresholds(probabilities: NDArray[np.float32], labels: NDArray[np.int64]) -> tuple[Threshold, ...]:
    confidence, right = _top(probabilities, labels)
    predicted, classes = probabilities.argmax(axis=1), probabilities.shape[1]
    labelled, found = np.bincount(labels, minlength=classes), []
    for threshold in THRESHOLDS:
        answered = confidence >= threshold
        if not answered.any():
            break
        hits = np.bincount(labels[answered & right], minlength=classes)
        answers = np.bincount(predicted[answered], minlength=classes)
        found.append(
            Threshold(
                confidence=threshold,
                coverage=Proportion(int(answered.sum()), len(labels)),
                accuracy=Proportion(int(hits.sum()), int(answered.sum())),
                precision=float((hits[answers > 0] / answers[answers > 0]).mean()),
                recall=float((hits[labelled > 0] / labelled[labelled > 0]).mean()),
            )
        )
    return tuple(found)
