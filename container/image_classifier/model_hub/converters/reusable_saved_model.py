"""Save a network as a reusable SavedModel, like those of TensorFlow Hub: callable, and trainable after loading.

The interface: https://www.tensorflow.org/hub/reusable_saved_models.
"""

from pathlib import Path
from typing import Any

import tensorflow as tf
import tf_keras


def save(network: tf_keras.Model, folder: Path) -> None:
    """Write `network` (float32 images in, features or logits out) as a reusable SavedModel.

    `__call__` is traced for training False and True; the signature `serving_default` has the output `default`.
    Writing the same network again gives the same bytes but for TensorFlow's fingerprint, which is left out.
    """
    specification = tf.TensorSpec(network.inputs[0].shape, tf.float32, name="inputs")
    # Plain attributes on a plain root: a Keras model or a tf.Module hides them from hub.KerasLayer.
    root = tf.__internal__.tracking.AutoTrackable()
    root.variables = list(network.variables)
    root.trainable_variables = list(network.trainable_variables)
    root.regularization_losses = []

    def call(inputs: Any, training: bool = False) -> Any:
        return network(inputs, training=training)

    root.__call__ = tf.function(call)
    for training in (False, True):
        root.__call__.get_concrete_function(specification, training)
    serve = tf.function(lambda inputs: {"default": call(inputs)}, input_signature=[specification])
    tf.saved_model.save(root, str(folder), signatures={"serving_default": serve})
    # A random fingerprint that no reader uses; without it equal networks give equal archives.
    (folder / "fingerprint.pb").unlink(missing_ok=True)
