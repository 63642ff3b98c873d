"""A module in the format of TensorFlow 1's Hub: two graphs, one without a tag and one for training, and signatures."""

from pathlib import Path
from typing import Any

import tensorflow as tf
import tf_keras

tf1 = tf.compat.v1


def save(network: tf_keras.Model, folder: Path) -> None:
    """Write a network, float32 (n, h, w, 3) to one tensor, with its weights.

    The signature `default` has the input `images` and the output `default`; `image_feature_vector` is the same.
    """
    weights, builder = network.get_weights(), tf1.saved_model.Builder(str(folder))
    for training in (False, True):
        with tf.Graph().as_default(), tf1.Session() as session:
            copy = tf_keras.models.clone_model(network)
            images = tf1.placeholder(tf.float32, network.inputs[0].shape, "images")
            answer = copy(images, training=training)
            for variable, value in zip(copy.weights, weights, strict=True):
                session.run(variable.initializer, {variable.initial_value: value})
            signature = tf1.saved_model.predict_signature_def({"images": images}, {"default": answer})
            signatures: dict[str, Any] = {"default": signature, "image_feature_vector": signature}
            if training:
                builder.add_meta_graph(["train"], signature_def_map=signatures)
            else:
                builder.add_meta_graph_and_variables(session, [], signature_def_map=signatures)
    builder.save()
    # The version of the module format: field 1, value 3.
    (folder / "tfhub_module.pb").write_bytes(b"\x08\x03")
