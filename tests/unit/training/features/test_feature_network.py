"""Which engine computes the features, and that it does not matter for them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from image_classifier.training.data.decoding import Pixels
from image_classifier.training.model import backbone
from image_classifier.training.model.backbone import Backbone


@pytest.fixture(scope="module")
def loaded(backbone_folder: Path) -> Backbone:
    """The small backbone, frozen."""
    return backbone.load(backbone_folder, trainable=False, trust=False)


@pytest.fixture(scope="module")
def pixels() -> Pixels:
    """Forty images of noise."""
    return np.random.default_rng(0).integers(0, 255, (40, 32, 40, 3), np.uint8)


def network(loaded: Backbone, images: int = 10_000, precision: str = "off") -> Any:
    """Plan as a job on this machine does."""
    from image_classifier.training.distributed import cluster
    from image_classifier.training.features.feature_network import FeatureNetwork

    return FeatureNetwork(loaded, cluster.single_host(), images, precision)


def with_layer(loaded: Backbone, layer: Callable[[Any], Any]) -> Backbone:
    """Return a backbone with another layer."""
    return replace(loaded, layer=layer, tunable=False)


def test_many_images_are_computed_by_openvino(
    loaded: Backbone, pixels: Pixels, capfd: pytest.CaptureFixture[str]
) -> None:
    """Given 10,000 images on CPU -> OpenVINO computes TensorFlow's features to 1e-4, and the log says so."""
    expected = np.asarray(loaded.feature_function()(pixels))
    chosen = network(loaded)
    found = np.concatenate([chosen(pixels[:32]), chosen(pixels[32:])])
    assert np.abs(found - expected).max() <= 1e-4
    assert np.abs(expected).max() > 0.01
    assert (chosen.planned_engine, chosen.engine) == ("openvino", "openvino")
    assert chosen.largest_difference <= 1e-4
    assert chosen.record() == {"engine": "openvino", "largest_difference": chosen.largest_difference}
    assert "Features: computed by OpenVINO, prepared in" in capfd.readouterr().out


def test_openvino_gives_equal_bits_each_time(loaded: Backbone, pixels: Pixels) -> None:
    """Given the same images in other batches and in another conversion -> the same bits."""
    first, second = network(loaded), network(loaded)
    once = np.concatenate([first(pixels[:8]), first(pixels[8:])])
    again = np.concatenate([second(pixels[:33]), second(pixels[33:])])
    assert np.array_equal(once, again)


@pytest.mark.parametrize(
    ("images", "precision", "reason"),
    [
        (100, "off", "100 images are too few to make up for the conversion"),
        (10_000, "bfloat16", "OpenVINO computes in float32, and mixed_precision is bfloat16"),
    ],
)
def test_few_images_and_other_types_are_computed_by_tensorflow(
    loaded: Backbone, pixels: Pixels, capfd: pytest.CaptureFixture[str], images: int, precision: str, reason: str
) -> None:
    """Given few images, or a type other than float32 -> TensorFlow's features, and the log says why."""
    chosen = network(loaded, images, precision)
    assert np.array_equal(chosen(pixels), loaded.feature_function()(pixels))
    assert (chosen.planned_engine, chosen.engine, chosen.largest_difference) == ("tensorflow", "tensorflow", None)
    assert f"Features: computed by TensorFlow, since {reason}" in capfd.readouterr().out


def test_network_that_openvino_cannot_convert_is_computed_by_tensorflow(
    loaded: Backbone, pixels: Pixels, capfd: pytest.CaptureFixture[str]
) -> None:
    """Given an operation that OpenVINO lacks -> TensorFlow computes all images, and the log says why."""
    import tensorflow as tf

    chosen = network(with_layer(loaded, lambda scaled: tf.math.igamma(2.0, tf.reduce_mean(scaled, [1, 2]))))
    assert chosen(pixels[:8]).shape == chosen(pixels[:8]).shape == (8, 3)
    assert (chosen.planned_engine, chosen.engine) == ("openvino", "tensorflow")
    assert "Features: computed by TensorFlow, since OpenVINO cannot convert it" in capfd.readouterr().out


def test_network_whose_features_differ_in_openvino_is_computed_by_tensorflow(
    loaded: Backbone, pixels: Pixels, capfd: pytest.CaptureFixture[str]
) -> None:
    """Given features with noise in them -> the engines differ, TensorFlow computes, and the log says by how much."""
    import tensorflow as tf

    noisy = with_layer(loaded, lambda scaled: tf.reduce_mean(scaled, [1, 2]) + tf.random.uniform((1, 3)))
    chosen = network(noisy)
    assert chosen(pixels).shape == (40, 3)
    assert chosen.engine == "tensorflow"
    assert "OpenVINO's features differ from its own by up to 0." in capfd.readouterr().out
