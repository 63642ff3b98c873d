"""Familiarity and occlusion maps of a real backbone on photographs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from image_classifier import archives, imaging
from image_classifier.evaluation import familiarity, occlusion
from image_classifier.evaluation.evidence import TRAINING, VALIDATION, Head, Split
from image_classifier.model_hub import staging
from image_classifier.photographs import sample_sets
from tests.support.least_squares import least_squares_head

pytestmark = [pytest.mark.every, pytest.mark.slow, pytest.mark.no_cover]

SIDE = 224


class Network:
    """Lite0 and a head that tells the stamps' classes."""

    def __init__(self, folder: Path) -> None:
        from image_classifier.training.model import backbone

        self._run = backbone.load(folder, trainable=False, trust=False).feature_function()
        self.head = Head(np.zeros((1280, 4), np.float32), np.zeros(4, np.float32))

    def features(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return (n, 1280)."""
        return np.concatenate([np.asarray(self._run(pixels[at : at + 16])) for at in range(0, len(pixels), 16)])

    def probabilities(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return (n, 4)."""
        logits = self.features(pixels) @ self.head.kernel + self.head.bias
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)


@dataclass(frozen=True)
class Stamps:
    """The network with its images."""

    network: Network
    training: Split
    validation: Split


def pixels_of(paths: Sequence[Path], width: int = SIDE) -> NDArray[np.uint8]:
    """Return (n, 224, width, 3)."""
    return np.array([imaging.load_pixels(path.read_bytes(), (SIDE, width)) for path in paths])


@pytest.fixture(scope="module")
def stamps(tmp_path_factory: pytest.TempPathFactory) -> Stamps:
    """Lite0 with a head that was fitted on the training part of the stamps."""
    scratch = tmp_path_factory.mktemp("stamps")
    network = Network(archives.materialise(staging.stage("lite0", scratch / "lite0.tar.gz"), scratch / "lite0"))
    images, splits = sample_sets.fetch("stamps", scratch / "images"), []
    for name, part in ((TRAINING, "train"), (VALIDATION, "held-out")):
        classes = sorted(path.name for path in (images / part).iterdir())
        files = tuple(sorted(path.relative_to(images / part).as_posix() for path in (images / part).glob("*/*")))
        labels = np.array([classes.index(file.split("/")[0]) for file in files])
        rows = network.features(pixels_of([images / part / file for file in files]))
        splits.append(Split(name, images / part, files, labels, None, rows))
    assert splits[0].features is not None
    network.head = least_squares_head(splits[0].features, splits[0].labels, 4)
    return Stamps(network, *splits)


def test_artificial_images_and_a_class_are_unfamiliar(stamps: Stamps) -> None:
    """Blank images, noise, mammals that were left out -> AUROC of at least 0.85; the training images -> about 0.5."""
    training, validation = stamps.training.features, stamps.validation.features
    assert training is not None
    assert validation is not None
    model = familiarity.fit(training, validation, stamps.network.head)
    draws = np.random.default_rng(0)
    colours = np.ones((16, SIDE, SIDE, 3), np.uint8) * draws.integers(0, 256, (16, 1, 1, 3), np.uint8)
    noise = draws.integers(0, 256, (16, SIDE, SIDE, 3), np.uint8)
    familiar = model.raw(validation)
    mammals = familiarity.left_out(stamps.training, stamps.validation, stamps.network.head, 3, "mammals")

    assert familiarity.separation(familiar, model.raw(stamps.network.features(colours))) > 0.85
    assert familiarity.separation(familiar, model.raw(stamps.network.features(noise))) > 0.95
    assert mammals is not None
    assert mammals.auroc > 0.85
    assert familiarity.separation(model.raw(training[::2]), model.raw(training[1::2])) == pytest.approx(0.5, abs=0.12)


def test_half_of_the_class_is_found(stamps: Stamps) -> None:
    """Two stamps side by side -> nearly each class's map lies in its half, and most maps are reliable."""
    split, network = stamps.validation, stamps.network
    certain = network.probabilities(pixels_of([split.path(row) for row in range(len(split))]))
    rows = [int(np.argmax(np.where(split.labels == label, certain[:, label], 0))) for label in range(4)]
    shares, reliable = [], []
    for left, right in ((0, 1), (1, 2), (2, 3), (3, 0)):
        halves = pixels_of([split.path(rows[label]) for label in (left, right)], SIDE // 2)
        for label, columns in ((left, slice(14)), (right, slice(14, None))):
            found = occlusion.explain(np.hstack([halves[0], halves[1]]), network.probabilities, label)
            shares.append(found.drops[:, columns].sum() / max(found.drops.sum(), 1e-9))
            reliable.append(found.reliable)

    assert sum(share > 0.5 for share in shares) >= 7
    assert np.mean(shares) > 0.7
    assert sum(reliable) >= 6
