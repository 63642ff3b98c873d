"""calibration=temperature: folded into the head, with the predictions that the head then makes."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from image_classifier.training.data.splits import DataSplits
from image_classifier.training.export import calibrated_head
from image_classifier.training.model import backbone
from image_classifier.training.stopping import StopSignal
from tests.unit.training import small


@pytest.fixture(scope="module", params=[{}, {"binary_mode": True}], ids=["classes", "binary"])
def trained(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    backbone_folder: Path,
    read_data: Callable[..., DataSplits],
) -> Any:
    """Train a head on two classes, 100 images of which are for validation."""
    from image_classifier.training import fine_tuning

    values = small.settings(train_only_top_layer=True, epochs=2, batch_size=8, learning_rate=0.05, **request.param)
    data = read_data(small.write_images(tmp_path_factory.mktemp("data"), classes=2, count=100, random=True), 0.5)
    loaded = backbone.load(backbone_folder, trainable=False, trust=False)
    return fine_tuning.train(data, loaded, values, StopSignal())


def overconfident(trained: Any, factor: float) -> Any:
    """Return the classifier with logits that are `factor` times as large, and the predictions of that."""
    dense = trained.head.get_layer("classes")
    kernel, bias = (weights * factor for weights in trained.weights[:2])
    dense.set_weights([kernel, bias])
    probabilities = predicted(trained)
    return replace(trained, weights=[kernel, bias], probabilities=probabilities, expected=probabilities)


def predicted(trained: Any) -> Any:
    """Predict the validation images with the head as it is now."""
    import tensorflow as tf

    outputs = trained.head(trained.arrays.validation)
    return (outputs if trained.values.binary_mode else tf.nn.softmax(outputs)).numpy()


def test_head_predicts_what_is_recorded(trained: Any) -> None:
    """Logits that are five times too large -> a temperature above 1; the head itself makes the new predictions."""
    before = overconfident(trained, 5)
    found = calibrated_head.calibrate(before, "temperature")
    assert found.record["temperature"] > 1.5
    assert found.record["ece_after"] < found.record["ece_before"]
    np.testing.assert_allclose(found.trained.probabilities, predicted(found.trained), atol=1e-5)
    assert found.trained.expected is found.trained.probabilities
    temperature = np.float32(found.record["temperature"])
    assert found.trained.temperature == found.record["temperature"]
    for old, new in zip(before.weights, found.trained.weights, strict=True):
        np.testing.assert_array_equal(old / temperature, new)
    same = (before.probabilities.argmax(axis=1), found.trained.probabilities.argmax(axis=1))
    np.testing.assert_array_equal(*same)


def test_off_changes_no_bit(trained: Any) -> None:
    """calibration=off -> the same object and the same weights, and nothing is recorded."""
    before = [weights.copy() for weights in trained.head.get_weights()]
    found = calibrated_head.calibrate(trained, "off")
    assert found.trained is trained
    assert found.record == {}
    assert all(np.array_equal(old, new) for old, new in zip(before, trained.head.get_weights(), strict=True))


def test_few_images_fit_no_temperature(trained: Any) -> None:
    """99 validation images -> the head as it is, and the reason in the record."""
    few = replace(trained.validation, examples=trained.validation.examples[:99])
    before = replace(trained, validation=few, probabilities=trained.probabilities[:99])
    found = calibrated_head.calibrate(before, "temperature")
    assert found.trained is before
    assert found.record == {"left_out": "99 validation images are fewer than the 100 that it takes"}


@pytest.mark.parametrize("temperature", [0.2, 0.7, 1.3, 5.0])
def test_undecided_binary_prediction_stays_undecided(temperature: float) -> None:
    """P(class 1) of exactly 0.5, whose logit is 0 -> 0.5 whatever the temperature, so class 1 as the head serves it."""
    assert calibrated_head.scaled(np.array([[0.5]], np.float32), temperature).tolist() == [[0.5]]
