"""Export the SavedModel: two signatures for serving, and a root that can be trained further."""

import os
import shutil
from pathlib import Path
from typing import Any

import tensorflow as tf
import tf_keras

from image_classifier import artifacts, durable_files, own_files
from image_classifier.contract.errors import DISK_IS_FULL
from image_classifier.contract.hyperparameters import Hyperparameters
from image_classifier.training import failures
from image_classifier.training.data.in_graph_imaging import decode_and_resize
from image_classifier.training.model.backbone import Backbone


def save(folder: Path, backbone: Backbone, head: tf_keras.Sequential, values: Hyperparameters) -> Path:
    """Write the SavedModel to `folder/1` atomically.

    Signatures: `serving_default` (bytes: string (n,) -> probabilities (n, K)) and `pixels` (pixels: uint8 (n, h, w, 3)
    -> probabilities, logits, features). The root is called like a Hub model, on pixels in the network's range, and
    returns logits; `features` of the root returns the pooled features.

    Raises:
        PlatformError: The disk is full; the previous contents are unchanged.
        OSError: The disk is not writable.
        UserError: A link or a file is in the place of a folder to write.
    """
    root = _root(backbone, head, values)
    folder.mkdir(parents=True, exist_ok=True)
    target, partial = folder / artifacts.SAVED_MODEL_DIR, folder / ".saved_model.partial"
    of_earlier_model = folder / artifacts.OPENVINO_DIR, folder / artifacts.OPENVINO_INT8_DIR
    for replaced in (target, *of_earlier_model):
        own_files.reject_other_kind(replaced)
    own_files.remove_folder(partial)
    signatures = _signatures(root, backbone, values)
    try:
        _write(root, partial, signatures)
    except OSError as error:
        full = failures.disk_is_full(error, folder) if error.errno in DISK_IS_FULL else error
        # Free the space, which the failure file may need.
        shutil.rmtree(partial, ignore_errors=True)
        raise full from error
    for converted in of_earlier_model:
        own_files.remove_folder(converted)
    own_files.remove_folder(target)
    durable_files.rename_folder(partial, target)
    return target


def _root(backbone: Backbone, head: tf_keras.Sequential, values: Hyperparameters) -> Any:
    # A tf.Module stores its variables under names that hub.KerasLayer does not read.
    root = tf.__internal__.tracking.AutoTrackable()
    dense = head.get_layer("classes")
    # The weights without their layer: a Keras layer would add metadata that readers cannot use.
    kernel, bias = dense.kernel, dense.bias
    module = backbone.layer.resolved_object
    root.backbone, root.kernel, root.bias = module, kernel, bias
    scaled = tf.TensorSpec((None, *backbone.info.image_size, 3), tf.float32)

    def features(inputs: Any, training: bool = False) -> Any:
        return backbone.features_of_scaled(inputs, training)

    def logits(inputs: Any, training: bool = False) -> Any:
        pooled = features(inputs, training)
        if training and values.dropout_rate:
            pooled = tf.nn.dropout(pooled, values.dropout_rate)
        return tf.matmul(pooled, kernel) + bias

    # No Python control flow below depends on tensors, so AutoGraph would have nothing to rewrite.
    root.features = tf.function(features, autograph=False)
    root.__call__ = tf.function(logits, autograph=False)
    for training in (False, True) if backbone.tunable else (False,):
        root.features.get_concrete_function(scaled, training)
        root.__call__.get_concrete_function(scaled, training)
    known = {id(variable) for variable in (kernel, bias)}
    root.trainable_variables = [*getattr(module, "trainable_variables", ()), kernel, bias]
    root.variables = [*(v for v in backbone.layer.variables if id(v) not in known), kernel, bias]
    penalty = tf.function(lambda: values.regularizers_l2 * tf.reduce_sum(tf.square(kernel)), [], autograph=False)
    root.regularization_losses = [*getattr(module, "regularization_losses", ()), penalty]
    return root


def _signatures(root: Any, backbone: Backbone, values: Hyperparameters) -> dict[str, Any]:
    size, method = backbone.info.image_size, backbone.info.resize_method

    def outputs(pixels: Any) -> dict[str, Any]:
        scaled = backbone.scale(tf.cast(pixels, tf.float32))
        pooled = root.features(scaled, False)
        logits = tf.matmul(pooled, root.kernel) + root.bias
        probabilities = tf.sigmoid(logits) if values.binary_mode else tf.nn.softmax(logits)
        return {"probabilities": probabilities, "logits": logits, "features": pooled}

    pixel_specification = tf.TensorSpec((None, *size, 3), tf.uint8, name="pixels")
    bytes_specification = tf.TensorSpec((None,), tf.string, name="bytes")

    @tf.function(input_signature=[pixel_specification], autograph=False)  # type: ignore[untyped-decorator, unused-ignore]
    def from_pixels(pixels: Any) -> dict[str, Any]:
        return outputs(pixels)

    @tf.function(input_signature=[bytes_specification], autograph=False)  # type: ignore[untyped-decorator, unused-ignore]
    def from_bytes(encoded: Any) -> dict[str, Any]:
        decoded = tf.map_fn(
            lambda one: decode_and_resize(one, size, method),
            encoded,
            fn_output_signature=tf.TensorSpec((*size, 3), tf.uint8),
        )
        return {"probabilities": outputs(decoded)["probabilities"]}

    return {"serving_default": from_bytes, "pixels": from_pixels}


def _write(root: Any, partial: Path, signatures: dict[str, Any]) -> None:
    try:
        tf.saved_model.save(root, str(partial), signatures=signatures)
    except tf.errors.OpError as error:
        # TensorFlow writes files itself and reports a full disk by an error of its own.
        code = next((code for code in DISK_IS_FULL if os.strerror(code) in str(error)), None)
        if code is None:
            raise
        raise OSError(code, os.strerror(code), str(partial)) from error
    durable_files.sync_tree(partial)
