"""Build a model folder in the layout that the built-in algorithm documents, for tests of what takes one in.

Under `1/` a Keras model (hub.KerasLayer, dropout, one dense layer) whose serving signature takes the bytes of images;
beside it both label files and a model info with the built-in's keys.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from image_classifier import artifacts


def save(
    folder: Path,
    hub_model: Path,
    labels: Sequence[str],
    size: tuple[int, int],
    tuned: bool = True,
    binary: bool = False,
) -> Any:
    """Write the model folder on the reusable SavedModel `hub_model`; return the Keras model, scaled floats to logits.

    `tuned`: the whole network was trainable. `binary`: one sigmoid output instead of a logit for each class.
    """
    import tensorflow as tf
    import tensorflow_hub as hub
    import tf_keras

    dense = tf_keras.layers.Dense(1, "sigmoid") if binary else tf_keras.layers.Dense(len(labels))
    model = tf_keras.Sequential(
        [
            tf_keras.layers.InputLayer((*size, 3)),
            hub.KerasLayer(str(hub_model), trainable=tuned),
            tf_keras.layers.Dropout(0.2),
            dense,
        ]
    )
    noise = np.random.default_rng(0)
    dense.set_weights([noise.normal(size=weight.shape) for weight in dense.get_weights()])

    def decode(encoded: Any) -> Any:
        return tf.image.resize(tf.io.decode_jpeg(encoded, channels=3), size) / 255.0

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="bytes")])  # type: ignore[untyped-decorator, unused-ignore]
    def serve(encoded: Any) -> dict[str, Any]:
        answer = model(tf.map_fn(decode, encoded, fn_output_signature=tf.float32), training=False)
        return {"probabilities": answer if binary else tf.nn.softmax(answer)}

    target = folder / artifacts.SAVED_MODEL_DIR
    model.save(str(target), save_format="tf", include_optimizer=False, signatures={"serving_default": serve})
    artifacts.write_labels(folder, labels)
    info = {"image_size": list(size), "pixel_scaling_method": "normalize", "finetuned": True}
    (folder / artifacts.MODEL_INFO_FILE).write_text(json.dumps(info))
    return model
