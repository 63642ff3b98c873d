"""A small real classifier: which of red, green and blue the left half of an image is, saved in every form.

Half, so that an image that lies on its side is another image.
"""

import shutil
from pathlib import Path
from typing import Any

import pytest

from image_classifier import artifacts
from image_classifier.artifacts import ModelInfo
from tests.support.made_once import made_once

SIZE = (24, 32)
"""Neither square nor a usual size."""
LABELS = ("red", "green", "blue")
FORMS = ("both", "pixels", "bytes", "called", "floats", "binary")


def save(folder: Path, form: str = "both", labels: tuple[str, ...] = LABELS, sharpness: float = 12.0) -> Path:
    """Save the classifier as a model folder.

    `form`: which ways to call it there are. "both" signatures, "pixels" (with `features` too) or "bytes" alone;
    "called" like a Hub model, on floats, with logits; "floats" by a signature on floats; "binary" with one sigmoid, the
    probability of green.
    """
    import tensorflow as tf

    module = tf.__internal__.tracking.AutoTrackable()
    module.sharpness = tf.Variable(sharpness, trainable=False)

    def logits(scaled: Any, training: bool = False) -> Any:
        return module.sharpness * tf.reduce_mean(scaled[:, :, : SIZE[1] // 2], axis=[1, 2])

    def of_pixels(pixels: Any) -> dict[str, Any]:
        scaled = tf.cast(pixels, tf.float32) / 255.0
        found = logits(scaled)
        if form == "binary":
            return {"probabilities": tf.sigmoid(found[:, 1:2] - found[:, 0:1])}
        answers = {"probabilities": tf.nn.softmax(found), "logits": found}
        if form == "pixels":
            answers["features"] = tf.concat([tf.reduce_mean(half, [1, 2]) for half in tf.split(scaled, 2, axis=2)], 1)
        return answers

    def of_bytes(encoded: Any) -> dict[str, Any]:
        def decode(one: Any) -> Any:
            decoded = tf.io.decode_image(one, channels=3, expand_animations=False)
            return tf.cast(tf.round(tf.image.resize(decoded, SIZE, antialias=True)), tf.uint8)

        pixels = tf.map_fn(decode, encoded, fn_output_signature=tf.TensorSpec((*SIZE, 3), tf.uint8))
        return {"probabilities": of_pixels(pixels)["probabilities"]}

    floats = tf.TensorSpec((None, *SIZE, 3), tf.float32)
    if form == "called":
        module.__call__ = tf.function(logits)
        module.__call__.get_concrete_function(floats, False)
    specifications = {
        "pixels": (of_pixels, tf.TensorSpec((None, *SIZE, 3), tf.uint8, name="pixels")),
        "bytes": (of_bytes, tf.TensorSpec((None,), tf.string, name="bytes")),
        "floats": (lambda scaled: {"answer": logits(scaled)}, tf.TensorSpec((None, *SIZE, 3), tf.float32, name="x")),
    }
    wanted = {"both": ("pixels", "bytes"), "binary": ("pixels", "bytes"), "called": ()}.get(form, (form,))
    signatures = {}
    for name in wanted:
        function, specification = specifications[name]
        key = "pixels" if name == "pixels" else "serving_default"
        signatures[key] = tf.function(function, input_signature=[specification])
    tf.saved_model.save(module, str(folder / artifacts.SAVED_MODEL_DIR), signatures=signatures or None)
    artifacts.write_model_info(folder, ModelInfo(image_size=SIZE, binary_mode=form == "binary", source="test network"))
    artifacts.write_labels(folder, labels[:2] if form == "binary" else labels)
    return folder


def convert(folder: Path) -> Path:
    """Add the OpenVINO IR to a saved classifier."""
    from image_classifier.inference.openvino_model import conversion, ir_record

    info = artifacts.read_model_info(folder)
    record = conversion.convert(folder, info, conversion.synthetic_images(info))
    artifacts.write_model_info(folder, ir_record.with_record(info, record))
    return folder


def saved_once(factory: pytest.TempPathFactory, form: str = "both") -> Path:
    """Return the model folder of a form, which all workers of a run share and leave as it is."""
    return made_once(factory, f"colours-{form}", lambda folder: save(folder / "model", form)) / "model"


def converted_once(factory: pytest.TempPathFactory, form: str = "both") -> Path:
    """Return the same with an OpenVINO IR."""

    def make(folder: Path) -> None:
        convert(Path(shutil.copytree(saved_once(factory, form), folder / "model")))

    return made_once(factory, f"colours-{form}-openvino", make) / "model"


def all_forms(factory: pytest.TempPathFactory, folder: Path) -> None:
    """Lay out the forms that servers are tested with, a folder each; those with an IR have names that say so."""
    for form in ("both", "bytes", "called", "binary", "pixels"):
        shutil.copytree(saved_once(factory, form), folder / form)
    for form in ("both", "binary", "pixels"):
        shutil.copytree(converted_once(factory, form), folder / f"{form}+openvino")
