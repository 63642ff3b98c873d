"""Features of real photographs by EfficientNet-Lite0, as a job computes them; made once in a run of the tests."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from image_classifier import archives
from image_classifier.class_folders import channel_listing
from image_classifier.model_hub import staging
from image_classifier.photographs import sample_sets
from image_classifier.photographs.sample_sets import PARTS
from image_classifier.training.data import decoding
from tests.support.made_once import made_once

_BATCH = 32


def load(factory: pytest.TempPathFactory, sample: str) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return the features (n, 1280) and labels (n,) of a sample data set."""
    folder = made_once(factory, f"features-of-{sample}", lambda into: compute(sample, into))
    with np.load(folder / "features.npz") as stored:
        return stored["features"], stored["labels"]


def compute(sample: str, into: Path) -> None:
    """Write `features.npz` of a sample data set, all its parts, into a folder."""
    # Imports TensorFlow, which the other tests of a module that names this one do without.
    from image_classifier.training.model import backbone

    archive = staging.stage("lite0", into / "lite0.tar.gz")
    model = backbone.load(archives.materialise(archive, into / "lite0"), trainable=False, trust=False)
    parts = sample_sets.fetch(sample, into / "photographs")
    examples = [each for part in PARTS for each in channel_listing.list_channel(parts / part, part).examples]
    decoder = decoding.Decoder(model.info.image_size, model.info.resize_method)
    pixels = np.stack([image for image in decoder.in_order(examples) if isinstance(image, np.ndarray)])
    function = model.feature_function()
    rows = [np.asarray(function(pixels[at : at + _BATCH]), np.float32) for at in range(0, len(pixels), _BATCH)]
    labels = np.array([example.label for example in examples], np.int64)
    np.savez(into / "features.npz", features=np.concatenate(rows), labels=labels)
