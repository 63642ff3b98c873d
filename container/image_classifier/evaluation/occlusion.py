"""Occlusion maps: which part of an image an answer rests on, and a figure that says whether the map can be trusted.

Zeiler and Fergus, Visualizing and understanding convolutional networks (2014).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Predict = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""From pixels (n, h, w, 3) to probabilities (n, K)."""
COARSE = 7
"""Cells of the coarse grid on each side."""


@dataclass(frozen=True)
class OcclusionMap:
    """The map of one image and one class."""

    class_index: int
    probability: float
    """Of the class, for the whole image."""
    drops: NDArray[np.float32]
    """(28, 28): by how much the probability falls when the place is covered; at least 0."""
    drop_top: float
    """Fall of the probability when the top 20 % of the places are covered."""
    drop_random: float
    """The same for random 20 %, the mean of 8 draws with a fixed seed."""

    @property
    def reliable(self) -> bool:
        """Whether covering what the map marks costs more than covering as much at random."""
        return self.drop_top > self.drop_random


def explain(pixels: NDArray[np.uint8], predict: Predict, class_index: int | None = None) -> OcclusionMap:
    """Explain an image (h, w, 3) for a class, by default the predicted one: a coarse grid, refined where it matters."""
    raise NotImplementedError


def overlay(pixels: NDArray[np.uint8], found: OcclusionMap) -> NDArray[np.uint8]:
    """Return the image (h, w, 3) with the map over it."""
    raise NotImplementedError
