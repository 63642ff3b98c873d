"""Probes: what running the model on further images shows, such as occluded ones, blank ones and noise."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from image_classifier import imaging
from image_classifier.evaluation import familiarity, occlusion
from image_classifier.evaluation.evidence import Evidence, Split
from image_classifier.evaluation.familiarity import FamiliarityModel, Separation
from image_classifier.evaluation.occlusion import OcclusionMap

MAPS = 12
"""Occlusion maps of a report at most."""
LEFT_OUT_CLASSES = 3
"""Classes that are left out in turn: those with the most validation images."""
LEFT_OUT_ROWS = 1000
"""Training images on which the score without a class is fitted at most."""
ARTIFICIAL_IMAGES = 16
"""Blank images, and images of noise."""


@dataclass(frozen=True)
class Network:
    """The model as a function."""

    run: Callable[[NDArray[np.uint8]], tuple[NDArray[np.float32], NDArray[np.float32] | None]]
    """From pixels (n, height, width, 3) to probabilities (n, K) and the inputs of the head (n, D) if it has them."""
    image_size: tuple[int, int]
    """Height and width in pixels."""
    load_pixels: Callable[[bytes], NDArray[np.uint8]]
    """From an image file to its pixels (height, width, 3); raises `ImageRejected`."""

    def probabilities(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the probabilities alone."""
        return self.run(pixels)[0]


def occlusion_maps(
    split: Split, rows: Sequence[int], network: Network, seconds: float, check: Callable[[], None]
) -> dict[int, OcclusionMap]:
    """Return the maps of the first `MAPS` rows that can be read, as many as fit into a number of seconds."""
    found: dict[int, OcclusionMap] = {}
    started = time.monotonic()
    for row in rows[:MAPS]:
        check()
        passed = time.monotonic() - started
        if passed + passed / max(len(found), 1) > seconds:
            break
        try:
            pixels = network.load_pixels(split.path(row).read_bytes())
        except (OSError, imaging.ImageRejected):
            continue
        found[row] = occlusion.explain(pixels, network.probabilities)
    return found


def left_out_classes(evidence: Evidence, check: Callable[[], None]) -> tuple[Separation, ...]:
    """Return how well a score that does not know a class separates the judged images from those of the class.

    For the classes with the most judged images; needs features of judged and training images, and a head.
    """
    judged, training, head = evidence.judged, evidence.training, evidence.head
    if judged.features is None or training is None or training.features is None or head is None:
        return ()
    found, some = [], training.part(_evenly_spaced(len(training), LEFT_OUT_ROWS))
    counts = np.bincount(judged.labels, minlength=len(evidence.class_names))
    for index in np.argsort(-counts, kind="stable")[:LEFT_OUT_CLASSES].tolist():
        check()
        one = familiarity.left_out(some, judged, head, index, evidence.class_names[index])
        found += [one] if one else []
    return tuple(found)


def artificial(model: FamiliarityModel, features: NDArray[np.float32], network: Network) -> Iterator[Separation]:
    """Yield how well the score separates images with these features (n, D) from blank images, and from noise."""
    familiar, shape = model.raw(features), (ARTIFICIAL_IMAGES, *network.image_size, 3)
    draws = np.random.default_rng(0)
    colours = draws.integers(0, 256, (ARTIFICIAL_IMAGES, 1, 1, 3), np.uint8)
    for name, pixels in (
        ("blank images", np.broadcast_to(colours, shape)),
        ("images of noise", draws.integers(0, 256, shape, np.uint8)),
    ):
        others = network.run(np.ascontiguousarray(pixels))[1]
        if others is not None:
            yield Separation(name, familiarity.separation(familiar, model.raw(others)), len(others))


def _evenly_spaced(rows: int, count: int) -> NDArray[np.int64]:
    return np.linspace(0, rows - 1, min(count, rows)).astype(np.int64)
