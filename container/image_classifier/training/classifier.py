"""What is trained: the head, the whole network, their loss, metrics, optimizer and augmentation."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf
import tf_keras

from image_classifier.contract.hyperparameters import Hyperparameters
from image_classifier.training.backbone import Backbone


def build_head(values: Hyperparameters, features: int, classes: int) -> tf_keras.Sequential:
    """Build dropout and one dense layer: features float32 (n, features) to logits (n, classes).

    In binary mode one sigmoid output (n, 1), the probability of class 1. L2 acts on the kernel alone.
    """
    units, activation = (1, "sigmoid") if values.binary_mode else (classes, None)
    return tf_keras.Sequential(
        [
            tf_keras.layers.InputLayer((features,), name="features"),
            tf_keras.layers.Dropout(values.dropout_rate, seed=values.random_seed, name="dropout"),
            tf_keras.layers.Dense(
                units,
                activation=activation,
                kernel_initializer=tf_keras.initializers.GlorotUniform(values.random_seed),
                kernel_regularizer=tf_keras.regularizers.L2(values.regularizers_l2),
                name="classes",
            ),
        ],
        name="head",
    )


class BackboneLayer(tf_keras.layers.Layer):  # type: ignore[misc]
    """uint8 or float pixels 0…255 in, pooled features out; tracks the Hub layer's weights."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__(name="features")
        self._backbone = backbone
        self.hub_layer = backbone.layer
        self.trainable = backbone.layer.trainable

    def call(self, pixels: Any, training: Any = None) -> Any:
        """Return features float32 (n, feature_count)."""
        # A frozen backbone's BatchNorm keeps its statistics whatever mode the head is in.
        mode = training if self.trainable else False
        return self._backbone.features(tf.cast(pixels, tf.float32), mode)


def build_whole(
    values: Hyperparameters, backbone: Backbone, head: tf_keras.Sequential, augment: Sequence[Any]
) -> tf_keras.Model:
    """Chain augmentation (training only), backbone and head: uint8 pixels (n, h, w, 3) to the head's output."""
    inputs = tf_keras.Input((*backbone.info.image_size, 3), dtype=tf.uint8, name="pixels")
    pixels = tf.cast(inputs, tf.float32)
    for layer in augment:
        pixels = layer(pixels)
    return tf_keras.Model(inputs, head(BackboneLayer(backbone)(pixels)), name="classifier")


def augmentation(values: Hyperparameters) -> list[Any]:
    """Return the random layers asked for; each factor goes to its own layer.

    Rotation is a share of a full turn, drawn from ±|factor|; zoom keeps the aspect ratio, drawn from ±|factor|.
    """
    if not values.augmentation:
        return []
    seed = values.random_seed
    layers: list[Any] = []
    if values.augmentation_random_flip != "None":
        layers.append(tf_keras.layers.RandomFlip(values.augmentation_random_flip, seed=seed, name="flip"))
    if values.augmentation_random_rotation:
        factor = abs(values.augmentation_random_rotation)
        layers.append(tf_keras.layers.RandomRotation(factor, seed=seed + 1, name="rotation"))
    if values.augmentation_random_zoom:
        factor = abs(values.augmentation_random_zoom)
        layers.append(tf_keras.layers.RandomZoom(factor, seed=seed + 2, name="zoom"))
    return layers


def build_optimizer(values: Hyperparameters) -> Any:
    """Return the Keras optimizer that the hyperparameters name."""
    rate, epsilon = values.learning_rate, values.epsilon
    optimizers = tf_keras.optimizers
    match values.optimizer:
        case "adam":
            return optimizers.Adam(rate, beta_1=values.beta_1, beta_2=values.beta_2, epsilon=epsilon)
        case "sgd":
            return optimizers.SGD(rate, momentum=values.momentum)
        case "nesterov":
            return optimizers.SGD(rate, momentum=values.momentum, nesterov=True)
        case "rmsprop":
            return optimizers.RMSprop(rate, rho=values.rho, momentum=values.momentum, epsilon=epsilon)
        case "adagrad":
            start = values.initial_accumulator_value
            return optimizers.Adagrad(rate, initial_accumulator_value=start, epsilon=epsilon)
        case "adadelta":
            return optimizers.Adadelta(rate, rho=values.rho, epsilon=epsilon)
        case other:
            raise AssertionError(f"undeclared optimizer {other}")


def build_loss(values: Hyperparameters) -> Any:
    """Return cross-entropy with label smoothing: from logits, or of one sigmoid output in binary mode."""
    if values.binary_mode:
        return tf_keras.losses.BinaryCrossentropy(label_smoothing=values.label_smoothing)
    return tf_keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=values.label_smoothing)


def build_metrics(values: Hyperparameters, classes: int) -> list[Any]:
    """Return the metrics that are printed: accuracy; top 5 with more than 5 classes; the binary family."""
    metrics = tf_keras.metrics
    if values.binary_mode:
        return [
            metrics.BinaryAccuracy("accuracy"),
            metrics.TruePositives(name="true_positives"),
            metrics.FalsePositives(name="false_positives"),
            metrics.TrueNegatives(name="true_negatives"),
            metrics.FalseNegatives(name="false_negatives"),
            metrics.Precision(name="precision"),
            metrics.Recall(name="recall"),
            metrics.AUC(name="auc"),
            metrics.AUC(curve="PR", name="prc"),
        ]
    chosen: list[Any] = [metrics.CategoricalAccuracy("accuracy")]
    if classes > 5:
        chosen.append(metrics.TopKCategoricalAccuracy(5, name="top_5_accuracy"))
    return chosen


def targets(labels: Any, values: Hyperparameters, classes: int) -> Any:
    """Turn class indices (n,) into what the loss compares with: one-hot (n, classes), or (n, 1) in binary mode."""
    if values.binary_mode:
        return tf.cast(labels, tf.float32)[:, tf.newaxis]
    return tf.one_hot(labels, classes)
