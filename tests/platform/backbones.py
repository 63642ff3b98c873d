"""Small backbones as the `model` channel carries them, written by TensorFlow in this process."""

from pathlib import Path
from typing import Any

from image_classifier import archives, artifacts

INFO = artifacts.ModelInfo(image_size=(32, 40), source="test network")


def save_tiny(folder: Path) -> None:
    """Write `tiny.tar.gz`: one convolution, of any image size."""
    from image_classifier import tensorflow_start

    tensorflow_start.start()
    import tf_keras

    from image_classifier.model_hub.converters import reusable_saved_model

    inputs = tf_keras.Input((None, None, 3))
    initial = tf_keras.initializers.GlorotUniform(1)
    hidden = tf_keras.layers.Conv2D(8, 3, strides=4, activation="relu", kernel_initializer=initial)(inputs)
    network = tf_keras.Model(inputs, tf_keras.layers.GlobalAveragePooling2D()(hidden))
    reusable_saved_model.save(network, folder / "model" / artifacts.SAVED_MODEL_DIR)
    _pack(folder / "model", folder / "tiny.tar.gz")


def save_diverging(folder: Path) -> Path:
    """Write and return an archive of a backbone whose features are NaN from the eighth step of training on."""
    tf, module = _module()
    module.steps, module.weight = tf.Variable(0, trainable=False), tf.Variable(1.0)
    module.variables, module.trainable_variables = [module.steps, module.weight], [module.weight]

    @tf.function  # type: ignore[untyped-decorator, unused-ignore]
    def features(pixels: Any, training: bool = False) -> Any:
        found = tf.reduce_mean(pixels, [1, 2]) * module.weight
        if training:
            # The first epoch has five steps.
            found = tf.where(module.steps.assign_add(1) > 7, float("nan"), found)
        return found

    module.__call__ = features
    for training in (False, True):
        features.get_concrete_function(tf.TensorSpec((None, None, None, 3), tf.float32), training)
    tf.saved_model.save(module, str(folder / "model" / artifacts.SAVED_MODEL_DIR))
    return _pack(folder / "model", folder / "diverging.tar.gz")


def save_inconvertible(folder: Path) -> Path:
    """Write and return an archive of a backbone with an operation that OpenVINO lacks."""
    tf, module = _module()
    module.variables, module.trainable_variables = [], []

    def features(pixels: Any, training: bool = False) -> Any:
        found = tf.reduce_mean(pixels, [1, 2])
        return found + 0 * tf.cast(tf.strings.length(tf.strings.as_string(found)), tf.float32)

    module.__call__ = tf.function(features)
    module.__call__.get_concrete_function(tf.TensorSpec((None, None, None, 3), tf.float32), False)
    tf.saved_model.save(module, str(folder / "model" / artifacts.SAVED_MODEL_DIR))
    return _pack(folder / "model", folder / "inconvertible.tar.gz")


def _module() -> tuple[Any, Any]:
    from image_classifier import tensorflow_start

    tensorflow_start.start()
    import tensorflow as tf

    module = tf.__internal__.tracking.AutoTrackable()
    module.regularization_losses = []
    return tf, module


def _pack(folder: Path, archive: Path) -> Path:
    artifacts.write_model_info(folder, INFO)
    archives.pack(folder, archive)
    return archive
