"""How unfamiliar an image is to a model: the residual of its features and the energy of its logits (ViM).

Wang, Li, Feng and Zhang, ViM: out-of-distribution with virtual-logit matching (2022).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from image_classifier.evaluation.evidence import Head

MAX_BYTES = 1_500_000
"""Of the stored arrays."""


@dataclass(frozen=True)
class FamiliarityModel:
    """What the score is computed from; all arrays float32 unless said."""

    origin: NDArray[np.float32]
    """(D,): the features' mean, which residuals are measured from."""
    basis: NDArray[np.float32]
    """(D, P), orthonormal: the principal subspace. float16 when stored."""
    scale: float
    """ViM's alpha: by which the residual's norm is multiplied to be comparable with logits."""
    quantiles: NDArray[np.float32]
    """(1001,) ascending: quantiles of the raw score of validation images."""

    def raw(self, features: NDArray[np.float32], logits: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return (n,): scale · ‖residual‖ minus the energy log Σ exp(logits); larger is less familiar."""
        raise NotImplementedError

    def score(self, features: NDArray[np.float32], logits: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return (n,) in [0, 1]: the share of validation images that were less ordinary than each image.

        1 is an image more ordinary than all of them, 0 one that is less ordinary than all.
        """
        raise NotImplementedError

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return what is stored in an .npz file, at most `MAX_BYTES`."""
        raise NotImplementedError


def from_arrays(arrays: Mapping[str, NDArray[np.generic]]) -> FamiliarityModel:
    """Return the model that `FamiliarityModel.arrays` stored."""
    raise NotImplementedError


def fit(training: NDArray[np.float32], validation: NDArray[np.float32], head: Head) -> FamiliarityModel:
    """Fit the subspace on training features (n, D), and the quantiles on validation features (m, D)."""
    raise NotImplementedError


@dataclass(frozen=True)
class Separation:
    """How well the score separates the model's images from others."""

    name: str
    """Such as "blank images" or "class defective left out"."""
    auroc: float
    images: int
    """Of the others."""


def separation(familiar: NDArray[np.float32], others: NDArray[np.float32]) -> float:
    """Return the AUROC of raw scores: the probability that an unfamiliar image has the larger one, ties by half."""
    raise NotImplementedError
