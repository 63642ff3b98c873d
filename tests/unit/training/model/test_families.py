"""Every family of the catalogue as a real graph, cut short: trained in both modes, written, loaded and served."""

from pathlib import Path

import numpy as np
import pytest

from image_classifier import artifacts
from image_classifier.artifacts import ModelInfo
from image_classifier.contract.errors import UserError
from image_classifier.inference.predictor import Predictor
from tests.families import tf1_module, trial, vision_transformer
from tests.families.architectures import ARCHITECTURES
from tests.families.other_kinds import OTHER_KINDS

pytestmark = pytest.mark.no_cover

SMALL = (32, 48)
LARGE_ALONE = ("MobileNet V1 1.0", "NASNet large")
"""Their graphs differ from another one's by its numbers alone; the benchmark has them."""
TRAINED = [name for name in ARCHITECTURES if name not in LARGE_ALONE]
HEADS = ((1000, 1000), (1001, 1001), (1000, 1001))


def train_and_serve(staged: Path, folder: Path, size: tuple[int, int] = SMALL) -> trial.Trial:
    """Train the head and the whole network; the latter, returned, answers as in training by both engines."""
    head = trial.train(staged, whole=False, size=size)
    assert not head.loaded.layer.trainable_variables
    whole = trial.train(staged, whole=True, size=size)
    assert np.ptp(whole.probabilities, axis=0).max() > 0.02
    trial.write(whole, folder)
    assert trial.convert(folder).other_answers == 0
    for engine, tolerance in (("tensorflow", 1e-4), ("openvino", 1e-3)):
        np.testing.assert_allclose(
            trial.answers(folder, whole.pixels, engine), whole.probabilities, atol=tolerance, err_msg=engine
        )
    return whole


@pytest.mark.every
@pytest.mark.parametrize("name", TRAINED)
def test_family_is_trained_in_both_modes_and_served(tmp_path: Path, name: str) -> None:
    """A family's first blocks, head alone and whole network -> the written folder answers as training did."""
    family = ARCHITECTURES[name]
    staged = trial.stage(tmp_path / "staged", family.build_small(), ModelInfo(image_size=family.small_size))
    train_and_serve(staged, tmp_path / "model", family.small_size)
    assert artifacts.read_model_info(tmp_path / "model").extra["openvino"]["synthetic"]


@pytest.mark.every
def test_big_transfer_takes_any_size(tmp_path: Path) -> None:
    """GroupNorm and weight-standardised convolutions, one module for two sizes -> trained at both, and served."""
    network = OTHER_KINDS["bit"].build()
    staged = trial.stage(tmp_path / "staged", network, ModelInfo(image_size=SMALL))
    train_and_serve(staged, tmp_path / "model")
    artifacts.write_model_info(staged, ModelInfo(image_size=(40, 40)))
    assert trial.train(staged, whole=True, size=(40, 40)).probabilities.shape == (8, 3)


@pytest.mark.every
def test_transformer_that_answers_its_attention_too(tmp_path: Path) -> None:
    """A tuple of features and a mapping of attention, saved by Keras -> the features count, in both modes."""
    network = OTHER_KINDS["transformer"].build()
    info = ModelInfo(image_size=SMALL, pixel_scaling_method="standardize_on_imagenet")
    staged = trial.stage(tmp_path / "staged", network, info)
    assert train_and_serve(staged, tmp_path / "model").loaded.feature_count == 32


@pytest.mark.every
def test_windows_that_are_shifted(tmp_path: Path) -> None:
    """Attention in windows, shifted, neighbours merged, of an image that is not square -> trained and served."""
    network = OTHER_KINDS["swin"].build()
    staged = trial.stage(tmp_path / "staged", network, ModelInfo(image_size=(32, 64)))
    # Twice the width, since neighbours are merged once.
    assert train_and_serve(staged, tmp_path / "model", (32, 64)).loaded.feature_count == 32


@pytest.mark.every
@pytest.mark.parametrize(("classes", "labels"), HEADS)
def test_pretrained_classifier_is_served(tmp_path: Path, classes: int, labels: int) -> None:
    """Logits for 1,000 or 1,001 classes, labels with or without background -> probabilities with the right names."""
    network = ARCHITECTURES["MobileNet V1 0.25"].build_small(classes)
    folder = trial.stage(tmp_path / "model", network, ModelInfo(image_size=SMALL, output="logits"), labels)
    record = trial.convert(folder)
    assert record.largest_difference < 1e-3
    predictor = Predictor.load(folder)
    (answer,) = predictor.classify(np.full((1, *SMALL, 3), 90, np.uint8))
    assert predictor.engine.name == "openvino"
    assert len(answer.labels) == len(answer.probabilities) == classes
    assert answer.labels[0] == ("background" if classes == 1001 else "class 1")
    assert sum(answer.probabilities) == pytest.approx(1, abs=1e-4)


@pytest.mark.every
def test_pretrained_transformer_is_served(tmp_path: Path) -> None:
    """A classifier that answers (logits, attention) -> probabilities of its logits by both engines."""
    network = vision_transformer.build(SMALL, patch=16, width=32, heads=2, depth=1, classes=1000)
    folder = trial.stage(tmp_path / "model", network, ModelInfo(image_size=SMALL, output="logits"), 1000)
    assert trial.convert(folder).other_answers == 0
    pixels = np.random.default_rng(0).integers(0, 256, (3, *SMALL, 3), np.uint8)
    expected = network(pixels.astype(np.float32) / 255)[0].numpy()
    expected = np.exp(expected) / np.exp(expected).sum(axis=1, keepdims=True)
    for engine in ("tensorflow", "openvino"):
        np.testing.assert_allclose(trial.answers(folder, pixels, engine), expected, atol=1e-4)


@pytest.mark.every
def test_module_of_tensorflow_1_trains_its_head_alone(tmp_path: Path) -> None:
    """A TF1-format module with a graph for training beside -> its head is trained and served; to tune it, rejected."""
    tf1_module.save(ARCHITECTURES["MobileNet V1 0.25"].build_small(), tmp_path / "staged" / "1")
    artifacts.write_model_info(tmp_path / "staged", ModelInfo(image_size=SMALL))
    with pytest.raises(UserError, match=r"a TF1-format module.*only its head can be trained.*train_only_top_layer"):
        trial.train(tmp_path / "staged", whole=True, size=SMALL)
    serve_head(tmp_path)


@pytest.mark.every
def test_signature_of_the_model_info_is_used(tmp_path: Path) -> None:
    """A model info that names signature and key of a Hub model -> its head is trained through them and served."""
    network = ARCHITECTURES["MobileNet V1 0.25"].build_small()
    info = ModelInfo(image_size=SMALL, signature="serving_default", output_key="default")
    trial.stage(tmp_path / "staged", network, info)
    assert serve_head(tmp_path).loaded.info.output_key == "default"


def serve_head(folder: Path) -> trial.Trial:
    """Train the head on `staged`, write `model`, and compare what serving answers with training, by both engines."""
    done = trial.train(folder / "staged", whole=False, size=SMALL)
    assert not done.loaded.tunable
    trial.write(done, folder / "model")
    trial.convert(folder / "model")
    for engine in ("tensorflow", "openvino"):
        np.testing.assert_allclose(
            trial.answers(folder / "model", done.pixels, engine), done.probabilities, atol=1e-4, err_msg=engine
        )
    return done
