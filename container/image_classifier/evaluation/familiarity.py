"""How unfamiliar an image is to a model: the residual of its features and the energy of its logits (ViM).

Wang, Li, Feng and Zhang, ViM: out-of-distribution with virtual-logit matching (2022). The logits are computed from the
features by a copy of the head, since a served network outputs features and probabilities, which have no energy.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from image_classifier.evaluation.evidence import Head, Split

MAX_BYTES = 1_500_000
"""Of the stored arrays."""
MAX_DIRECTIONS = 128
"""Columns of the principal subspace, at most half of the features and a quarter of the training images.

Solar cells, EfficientNet-Lite0, AUROC against 300 stamps with 32, 64, 128 and 256: 0.949, 0.980, 0.999, 1.000.
"""
LEAST_DIRECTIONS = 32
"""Below it the head is left out, so that the subspace has the memory."""
_LEVELS = 1001
_HALF = np.float32(0.5)
_ROWS = 4096
"""Rows that are computed at a time, and that the subspace is fitted on at most."""
_ITERATIONS = 3
_SMALLEST_SQUARE = 1e-12
"""Relative to the largest, of the length of a direction that is more than rounding."""
LEAST_LEFT_OUT = 10
"""Validation images of a class, and of the others, below which leaving it out shows nothing."""
BLIND = 0.6
"""AUROC below which the score does little better than chance; a rule of thumb."""


@dataclass(frozen=True)
class FamiliarityModel:
    """What the score is computed from."""

    origin: NDArray[np.float32]
    """(D,): the mean of the training features, which residuals are measured from."""
    basis: NDArray[np.float16 | np.float32]
    """(D, P): the principal subspace, orthonormal up to rounding; zeros beyond the rank of the training features."""
    kernel: NDArray[np.float16 | np.float32]
    """(D, K) of the head, its mean over the classes subtracted. (D, 0) where it does not fit into `MAX_BYTES` beside
    `LEAST_DIRECTIONS`, or in the range of float16: the score is the residual alone then."""
    bias: NDArray[np.float32]
    """(K,) of the head, its mean subtracted; (0,) without a kernel."""
    scale: float
    """ViM's alpha: by which the residual's norm is multiplied to be comparable with logits."""
    quantiles: NDArray[np.float32]
    """(1001,) ascending: quantiles of the raw score of validation images; empty until they are known."""

    def raw(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return (n,) of features (n, D): scale · ‖residual‖ minus the energy log Σ exp(logits).

        Larger is less familiar.
        """
        basis, kernel = self.basis.astype(np.float32, copy=False), self.kernel.astype(np.float32, copy=False)
        scores = np.empty(len(features), np.float32)
        for start in range(0, len(features), _ROWS):
            rows = features[start : start + _ROWS].astype(np.float32)
            residuals = _residuals(rows - self.origin, basis)
            scores[start : start + _ROWS] = self.scale * residuals - _energies(rows @ kernel + self.bias)
        return scores

    def score(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return (n,) in [0, 1] of features (n, D): the share of validation images that were less ordinary.

        1 is an image more ordinary than all of them, 0 one that is less ordinary than all.
        """
        less_ordinary = len(self.quantiles) - np.searchsorted(self.quantiles, self.raw(features), side="right")
        return np.asarray(less_ordinary / len(self.quantiles), np.float32)

    def widened(self) -> "FamiliarityModel":
        """Return the same model in float32, which takes twice the memory and spares each call the conversion."""
        return replace(self, basis=self.basis.astype(np.float32), kernel=self.kernel.astype(np.float32))

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return what is stored in an .npz file, at most `MAX_BYTES`."""
        return {
            "origin": self.origin,
            "basis": self.basis.astype(np.float16),
            "kernel": self.kernel.astype(np.float16),
            "bias": self.bias,
            "scale": np.array(self.scale, np.float32),
            "quantiles": self.quantiles,
        }


def from_arrays(arrays: Mapping[str, NDArray[np.generic]]) -> FamiliarityModel:
    """Return the model that `FamiliarityModel.arrays` stored.

    Raises:
        KeyError: An array is missing.
        ValueError: The shapes do not belong together.
    """
    model = FamiliarityModel(
        origin=np.asarray(arrays["origin"], np.float32),
        basis=np.asarray(arrays["basis"], np.float16),
        kernel=np.asarray(arrays["kernel"], np.float16),
        bias=np.asarray(arrays["bias"], np.float32),
        scale=float(np.asarray(arrays["scale"], np.float32)),
        quantiles=np.asarray(arrays["quantiles"], np.float32),
    )
    features = len(model.origin)
    expected = (features, *model.basis.shape[1:]), (features, *model.bias.shape), (_LEVELS,)
    if (model.basis.shape, model.kernel.shape, model.quantiles.shape) != expected:
        raise ValueError(f"arrays of shapes {', '.join(str(one.shape) for one in arrays.values())} are not one model")
    return model


def fit(training: NDArray[np.float32], validation: NDArray[np.float32], head: Head) -> FamiliarityModel:
    """Fit the subspace on training features (n, D), scale and quantiles on validation features (m, D).

    Both need at least one row. The validation images also decide the scale: with few training images the subspace
    holds nearly all that these differ in, and their residuals are smaller than those of any other image.
    """
    kernel, bias = _centred(head)
    features, classes = kernel.shape
    wanted = max(1, min(MAX_DIRECTIONS, features // 2, len(training) // 4))
    columns = (MAX_BYTES - 4 * (features + classes + _LEVELS + 1)) // (2 * features)
    if columns - classes < min(LEAST_DIRECTIONS, wanted) or not _fits_float16(kernel):
        kernel, bias = kernel[:, :0], bias[:0]
    origin = training.mean(axis=0, dtype=np.float64).astype(np.float32)
    basis = _principal_directions(training, origin, min(wanted, columns - kernel.shape[1]))
    model = FamiliarityModel(
        origin=origin,
        basis=basis.astype(np.float16),
        kernel=kernel.astype(np.float16),
        bias=bias,
        scale=1.0,
        quantiles=np.empty(0, np.float32),
    )
    return _calibrated(model, validation)


def _calibrated(model: FamiliarityModel, validation: NDArray[np.float32]) -> FamiliarityModel:
    """Return the model with scale and quantiles from validation features."""
    logits = validation @ model.kernel.astype(np.float32) + model.bias
    residual = float(_residuals(validation - model.origin, model.basis.astype(np.float32)).mean())
    largest = float(logits.max(axis=1).mean()) if logits.shape[1] > 1 else 0.0
    scale = largest / residual if largest > 0 and residual > 0 else 1.0
    # As it is stored.
    scaled = replace(model, scale=float(np.float32(scale)))
    levels = np.linspace(0, 1, _LEVELS)
    quantiles = np.quantile(scaled.raw(validation), levels, method="inverted_cdf").astype(np.float32)
    return replace(scaled, quantiles=quantiles)


def _centred(head: Head) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return kernel (D, K) and bias (K,) whose logits have the mean 0, which fixes what softmax leaves open."""
    kernel, bias = head.kernel, head.bias
    if kernel.shape[1] == 1:
        kernel, bias = np.hstack([-kernel, kernel]), np.hstack([-bias, bias])
        return kernel * _HALF, bias * _HALF
    if not kernel.shape[1]:
        return kernel, bias
    return kernel - kernel.mean(axis=1, keepdims=True), bias - bias.mean()


def _fits_float16(kernel: NDArray[np.float32]) -> bool:
    """Return whether rounding keeps a kernel: not where tiny features made its weights huge, or the reverse."""
    with np.errstate(over="ignore"):
        rounded = kernel.astype(np.float16)
    return np.allclose(rounded, kernel, rtol=1e-3, atol=1e-3 * float(np.abs(kernel).max(initial=0)))


def _principal_directions(
    features: NDArray[np.float32], origin: NDArray[np.float32], count: int
) -> NDArray[np.float32]:
    """Return (D, count), orthonormal, by subspace iteration from fixed random directions; zeros beyond the rank.

    Halko, Martinsson and Tropp, Finding structure with randomness (2011), algorithm 4.4. An eigendecomposition of all
    directions, or QR decompositions, take several times as long.
    """
    chosen = np.linspace(0, len(features) - 1, min(len(features), _ROWS)).astype(np.intp)
    rows = features[chosen].astype(np.float32) - origin
    directions = np.random.default_rng(0).standard_normal((len(origin), count), np.float32)
    for _ in range(_ITERATIONS):
        directions = _orthonormal(np.asarray(rows.T @ (rows @ directions), np.float32))
    return directions


def _orthonormal(columns: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a basis (D, P) of what the columns span, by their Gram matrix; a zero for each that adds nothing."""
    exact = columns.astype(np.float64)
    squares, rotation = np.linalg.eigh(exact.T @ exact)
    adds = squares > squares.max() * _SMALLEST_SQUARE
    scales = np.where(adds, 1 / np.sqrt(np.where(adds, squares, 1)), 0)
    return np.asarray(exact @ (rotation * scales), np.float32)


def _residuals(centred: NDArray[np.float32], basis: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(np.linalg.norm(centred - (centred @ basis) @ basis.T, axis=1), np.float32)


def _energies(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return log Σ exp(logits) of each row; 0 without logits."""
    if not logits.shape[1]:
        return np.zeros(len(logits), np.float32)
    largest = logits.max(axis=1)
    return np.asarray(largest + np.log(np.exp(logits - largest[:, np.newaxis]).sum(axis=1)), np.float32)


@dataclass(frozen=True)
class Separation:
    """How well the score separates the model's images from others."""

    name: str
    """Such as "blank images" or "class defective left out"."""
    auroc: float
    images: int
    """Of the others."""

    @property
    def is_blind(self) -> bool:
        """Whether the score hardly tells these images from the model's: an AUROC of 0.5 is chance."""
        return self.auroc < BLIND


def separation(familiar: NDArray[np.float32], others: NDArray[np.float32]) -> float:
    """Return the AUROC of raw scores: the probability that an unfamiliar image has the larger one, ties by half.

    NaN if either is empty.
    """
    if not len(familiar) or not len(others):
        return math.nan
    ordered = np.sort(familiar)
    below = np.searchsorted(ordered, others, side="left") + np.searchsorted(ordered, others, side="right")
    return float(below.mean() / (2 * len(ordered)))


def left_out(training: Split, validation: Split, head: Head, class_index: int, class_name: str) -> Separation | None:
    """Return how well a class that the score does not know is separated from the other classes.

    Both splits need features. The class's training images and its logit are taken away; the rest of the head, which was
    fitted beside the class, is kept: mammals among the stamps have an AUROC of 0.97, and 0.96 with a head that was
    fitted without them. None if the class or the rest has fewer than `LEAST_LEFT_OUT` validation images.
    """
    if training.features is None or validation.features is None:
        raise ValueError("the score of a class that was left out needs features")
    out = validation.labels == class_index
    known = training.labels != class_index
    if min(out.sum(), (~out).sum()) < LEAST_LEFT_OUT or not known.any():
        return None
    kernel, bias = _centred(head)
    # The logit of a single class that remains says nothing.
    others_of_head = [other for other in range(len(bias)) if other != class_index and len(bias) > 2]
    rest = Head(kernel[:, others_of_head], bias[others_of_head])
    model = fit(training.features[known], validation.features[~out], rest)
    auroc = separation(model.raw(validation.features[~out]), model.raw(validation.features[out]))
    return Separation(f"class {class_name} left out", auroc, int(out.sum()))
