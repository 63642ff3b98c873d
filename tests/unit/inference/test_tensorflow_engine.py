"""A SavedModel behind one function from pixels to probabilities, however it is called."""

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from image_classifier import artifacts
from image_classifier.artifacts import ModelInfo
from image_classifier.contract.errors import UserError
from image_classifier.inference.engines import tensorflow
from tests.unit.inference import colours

INFO = ModelInfo(image_size=colours.SIZE)


def expected(pixels: NDArray[np.uint8], sharpness: float = 12.0) -> NDArray[np.float64]:
    """Compute in NumPy what the small classifier answers."""
    logits = sharpness * (pixels[:, :, : colours.SIZE[1] // 2] / 255.0).mean(axis=(1, 2))
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


@pytest.mark.parametrize("form", ["both", "pixels", "bytes", "called", "floats"])
def test_every_form_answers_the_same_probabilities(
    colour_model: Callable[[str], Path], halves: NDArray[np.uint8], form: str
) -> None:
    """One network behind each way to call it -> the probabilities that NumPy computes."""
    engine = tensorflow.load_engine(colour_model(form), INFO)
    answered = engine.probabilities(halves)
    assert (engine.outputs, answered.shape) == (3, (3, 3))
    assert answered.dtype == np.float32
    assert answered == pytest.approx(expected(halves), abs=1e-5)
    assert engine.probabilities(halves[:1]) == pytest.approx(answered[:1], abs=1e-6)


def test_binary_model_answers_one_probability(colour_model: Callable[[str], Path], halves: NDArray[np.uint8]) -> None:
    """One sigmoid output -> one column, P(green)."""
    engine = tensorflow.load_engine(colour_model("binary"), INFO)
    answered = engine.probabilities(halves)
    assert answered.shape == (3, 1)
    assert answered[0, 0] < 0.1 < 0.9 < answered[1, 0]


def test_recorded_logits_of_one_output_become_a_sigmoid(tmp_path: Path, halves: NDArray[np.uint8]) -> None:
    """A model that is called and answers one logit, recorded as logits -> its sigmoid."""
    module = tf.__internal__.tracking.AutoTrackable()
    specification = tf.TensorSpec((None, *colours.SIZE, 3), tf.float32)
    module.__call__ = tf.function(lambda x: tf.zeros((tf.shape(x)[0], 1)) + 2.0, input_signature=[specification])
    tf.saved_model.save(module, str(tmp_path / "1"))
    engine = tensorflow.load_engine(tmp_path, replace(INFO, output="logits"))
    assert engine.probabilities(halves) == pytest.approx(np.full((3, 1), 1 / (1 + np.exp(-2))), abs=1e-6)


@pytest.mark.parametrize(
    ("method", "expected_range"),
    [
        ("normalize", ([0, 0, 0], [1, 1, 1])),
        ("center", ([-1, -1, -1], [1, 1, 1])),
        ("standardize_on_imagenet", ([-2.1179, -2.0357, -1.8044], [2.2489, 2.4286, 2.6400])),
    ],
)
def test_scaling_maps_the_ends_of_the_range(method: str, expected_range: tuple[list[float], list[float]]) -> None:
    """Black and white of each scaling method -> the ends of the ranges that the models' authors give."""
    scaled = tensorflow.scale(np.array([[0, 0, 0], [255, 255, 255]], np.uint8), method).numpy()
    assert scaled.dtype == np.float32
    assert scaled == pytest.approx(np.array(expected_range), abs=1e-4)


def test_unknown_scaling_raises() -> None:
    """Given an undeclared scaling method -> ValueError with the list."""
    with pytest.raises(ValueError, match="not one of normalize, center, standardize_on_imagenet"):
        tensorflow.scale(np.zeros((1, 3), np.uint8), "invert")


def test_named_signature_and_key_are_obeyed(colour_model: Callable[[str], Path], halves: NDArray[np.uint8]) -> None:
    """A model info with signature and output_key -> that output, made probabilities; a wrong name -> the right ones."""
    folder = colour_model("both")
    engine = tensorflow.load_engine(folder, replace(INFO, signature="pixels", output_key="logits"))
    assert engine.probabilities(halves) == pytest.approx(expected(halves), abs=1e-5)
    with pytest.raises(UserError, match=r"lacks the signature 'classify'.*pixels, serving_default"):
        tensorflow.load_engine(folder, replace(INFO, signature="classify"))
    with pytest.raises(UserError, match=r"has the outputs logits, probabilities\. Set output_key.*scores"):
        tensorflow.load_engine(folder, replace(INFO, output_key="scores"))


def test_tuple_and_mapping_outputs_count_by_their_classes(tmp_path: Path, halves: NDArray[np.uint8]) -> None:
    """Models that answer (logits, attention) or a mapping -> the logits alone, as probabilities."""
    specification = tf.TensorSpec((None, *colours.SIZE, 3), tf.float32)
    for name in ("tuple", "mapping"):
        module = tf.__internal__.tracking.AutoTrackable()

        def call(x, as_tuple=name == "tuple"):  # type: ignore[no-untyped-def]
            logits = 12.0 * tf.reduce_mean(x[:, :, : colours.SIZE[1] // 2], axis=[1, 2])
            return (logits, x) if as_tuple else {"logits": logits, "attention": x}

        module.__call__ = tf.function(call, input_signature=[specification])
        tf.saved_model.save(module, str(tmp_path / name / "1"))
        engine = tensorflow.load_engine(tmp_path / name, INFO)
        assert engine.probabilities(halves) == pytest.approx(expected(halves), abs=1e-5)
    with pytest.raises(UserError, match="outputs are attention, logits; set output_key to one of them"):
        tensorflow.load_engine(tmp_path / "mapping", replace(INFO, output_key="classes"))


def test_wrong_size_is_said(colour_model: Callable[[str], Path]) -> None:
    """A model info with another image size than the network's -> rejected with that size."""
    with pytest.raises(UserError, match="rejects images of 10x11 pixels, the image_size"):
        tensorflow.load_engine(colour_model("pixels"), ModelInfo(image_size=(10, 11)))


def test_backbone_is_rejected(colour_model: Callable[[str], Path], tmp_path: Path) -> None:
    """Given features, recorded or by their shape -> UserError."""
    with pytest.raises(UserError, match="is a backbone: it returns features, not classes"):
        tensorflow.load_engine(colour_model("called"), replace(INFO, output="features"))
    module = tf.__internal__.tracking.AutoTrackable()
    specification = tf.TensorSpec((None, *colours.SIZE, 3), tf.float32)
    module.__call__ = tf.function(lambda x: x, input_signature=[specification])
    tf.saved_model.save(module, str(tmp_path / "1"))
    with pytest.raises(UserError, match=r"returns the shape \(2, 24, 32, 3\) for two images"):
        tensorflow.load_engine(tmp_path, INFO)


def test_model_that_cannot_be_called_is_said(tmp_path: Path) -> None:
    """A SavedModel without any function, and one with a signature of two inputs -> rejected with what it has."""
    tf.saved_model.save(tf.__internal__.tracking.AutoTrackable(), str(tmp_path / "none" / "1"))
    with pytest.raises(UserError, match="cannot be called with images: it has no signatures"):
        tensorflow.load_engine(tmp_path / "none", INFO)
    module = tf.__internal__.tracking.AutoTrackable()
    numbers = tf.TensorSpec((None,), tf.float32)
    module.add = tf.function(lambda a, b: {"sum": a + b}, input_signature=[numbers, numbers])
    tf.saved_model.save(module, str(tmp_path / "two" / "1"), signatures={"add": module.add})
    with pytest.raises(UserError, match="it has the signatures add, none of which takes exactly one input"):
        tensorflow.load_engine(tmp_path / "two", INFO)
    with pytest.raises(UserError, match=r"'add' of .* does not take exactly one input"):
        tensorflow.load_engine(tmp_path / "two", replace(INFO, signature="add"))


@pytest.mark.parametrize("damage", ["graph", "weights"])
def test_damaged_model_is_said_in_one_line(colour_model: Callable[[str], Path], tmp_path: Path, damage: str) -> None:
    """A graph of random bytes, and weights cut short -> one sentence that names the folder."""
    folder = tmp_path / "model"
    shutil.copytree(colour_model("both"), folder)
    file = folder / artifacts.SAVED_MODEL_DIR / "saved_model.pb"
    if damage == "weights":
        file = folder / artifacts.SAVED_MODEL_DIR / "variables" / "variables.data-00000-of-00001"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(UserError) as found:
        tensorflow.load_engine(folder, INFO)
    assert str(folder) in str(found.value)
    assert "\n" not in str(found.value)


def test_threads_share_one_engine(colour_model: Callable[[str], Path], halves: NDArray[np.uint8]) -> None:
    """Eight threads with images of their own -> each gets its own image's answer."""
    engine = tensorflow.load_engine(colour_model("both"), INFO)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: engine.probabilities(halves[n % 3 : n % 3 + 1]), range(96)))
    assert [int(answer.argmax()) for answer in answers] == [n % 3 for n in range(96)]
