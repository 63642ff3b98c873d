"""Interpolation between the weights of stage 0 and the tuned ones: WiSE-FT, Wortsman and others, arXiv 2109.01903."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from image_classifier.evaluation import stratified
from image_classifier.training.loop import snapshots
from image_classifier.training.loop.scoring import Evaluator
from image_classifier.training.progress import log
from image_classifier.training.recipes import choice
from image_classifier.training.recipes.tuning_inputs import TuningInputs
from image_classifier.training.stopping import JobStopped

HEAD, TUNED = 0.0, 1.0
BETWEEN = (0.25, 0.5, 0.75)
"""A pass over the validation images each; the predictions of both ends are known before."""
FOLDS = 5


@dataclass(frozen=True, order=True)
class Mixture:
    """Weights between those of stage 0 and those of a tuned network."""

    alpha: float
    """0: the network of stage 0, 1: the tuned one."""
    network: int = 0
    """Number of the tuned network, where there are several."""


@dataclass(frozen=True)
class Interpolation:
    """The mixture with the best validation accuracy."""

    best: Mixture
    accuracies: Mapping[Mixture, float]
    cross_fitted: NDArray[np.float32]
    """Of each image by the mixture that is best on the other folds: free of the optimism of the choice."""


def between(start: Sequence[NDArray[Any]], tuned: Sequence[NDArray[Any]], alpha: float) -> list[NDArray[Any]]:
    """Return (1 - alpha) start + alpha tuned of every floating-point array; the others are those of `tuned`."""
    return [_between(*pair, alpha) for pair in zip(start, tuned, strict=True)]


def _between(start: NDArray[Any], tuned: NDArray[Any], alpha: float) -> NDArray[Any]:
    if start.dtype.kind != "f" or alpha == TUNED:
        return tuned
    return ((1 - alpha) * start + alpha * tuned).astype(start.dtype)


def outputs_between(
    inputs: TuningInputs, start: Sequence[NDArray[Any]], tuned: Sequence[NDArray[Any]], evaluator: Evaluator
) -> dict[float, NDArray[np.float32]]:
    """Return the outputs for the readable validation rows by each alpha of `BETWEEN`. Collective.

    The network ends with the weights of the last alpha. Empty when the job was stopped meanwhile.
    """
    found = {}
    for alpha in BETWEEN:
        snapshots.assign(inputs.network.trained_variables, between(start, tuned, alpha))
        try:
            found[alpha] = evaluator.predict(inputs.images.validation, inputs.session.raise_if_stopped).outputs
        except JobStopped:
            log("Interpolation was interrupted: a stop was requested.")
            return {}
    return found


def choose(outputs: Mapping[Mixture, NDArray[np.float32]], labels: NDArray[np.int64], seed: int) -> Interpolation:
    """Choose the mixture of the best accuracy, the smallest of equals, from outputs for the same images.

    The accuracy of the best of several is too high by the luck of the choice. `cross_fitted` takes no image's own label
    into its choice (Stone, Cross-validatory choice, 1974), so that its paired comparison with stage 0 counts the choice
    as a part of the method.
    """
    mixtures = sorted(outputs)
    correct = np.stack([choice.correct(outputs[one], labels) for one in mixtures])
    best = _best(correct)
    cross_fitted = outputs[mixtures[best]].copy()
    if mixtures[best].alpha != HEAD:
        folds = _folds(labels, seed)
        for held in (folds == fold for fold in range(FOLDS)):
            cross_fitted[held] = outputs[mixtures[_best(correct[:, ~held])]][held]
    accuracies = dict(zip(mixtures, correct.mean(axis=1).tolist(), strict=True))
    return Interpolation(mixtures[best], accuracies, cross_fitted)


def _best(correct: NDArray[np.bool_]) -> int:
    """Return the first row with the most images."""
    return int(correct.sum(axis=1).argmax())


def _folds(labels: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Return the fold of each image; every class is spread evenly over the folds."""
    folds = np.empty(len(labels), np.int64)
    folds[stratified.by_class(labels, (seed, len(labels)))] = np.arange(len(labels)) % FOLDS
    return folds
