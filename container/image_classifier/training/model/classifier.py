"""The trained network: head, head on backbone, loss and metrics."""

from typing import Any

import tensorflow as tf
import tf_keras

from image_classifier.contract import binary_rule
from image_classifier.contract.hyperparameters import Hyperparameters
from image_classifier.training.model.backbone import Backbone


def build_head(values: Hyperparameters, features: int, classes: int) -> tf_keras.Sequential:
    """Build one dense layer: features float32 (n, features) to logits (n, classes).

    In binary mode it has one sigmoid output (n, 1), the probability of class 1. L2 regularises the kernel only. The
    dropout before it is `dropout_mask`.
    """
    units, activation = (1, "sigmoid") if values.binary_mode else (classes, None)
    return tf_keras.Sequential(
        [
            tf_keras.layers.InputLayer((features,), name="features"),
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
    """From uint8 or float pixels 0…255 to pooled features; tracks the weights of the Hub layer."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__(name="features")
        self._backbone = backbone
        self.hub_layer = backbone.layer
        self.trainable = backbone.layer.trainable

    def call(self, pixels: Any, training: Any = None) -> Any:
        """Return features float32 (n, feature_count)."""
        # BatchNorm of a frozen backbone keeps its statistics, also while the head trains.
        mode = training if self.trainable else False
        return self._backbone.features(tf.cast(pixels, tf.float32), mode)


class Network(tf_keras.Model):  # type: ignore[misc]
    """A head on precomputed features, or on top of its backbone."""

    def __init__(self, head: tf_keras.Sequential, backbone: Backbone | None = None) -> None:
        super().__init__(name="classifier")
        self.head = head
        self.backbone = BackboneLayer(backbone) if backbone else None
        self._size = backbone.info.image_size if backbone else None
        nothing = tf.zeros((1, *self.input_specification.shape[1:]), self.input_specification.dtype)
        # In replica context: a SavedModel loaded under a strategy runs only there.
        tf.distribute.get_strategy().run(self, (nothing,))

    @property
    def backbone_trainable(self) -> bool:
        """Whether the backbone is part of the network and trainable."""
        return bool(self.backbone and self.backbone.trainable)

    @property
    def trained_variables(self) -> list[Any]:
        """The variables that training changes: the head's, and unless frozen the backbone's with its statistics."""
        return [
            *self.head.variables,
            *(self.backbone.hub_layer.variables if self.backbone and self.backbone_trainable else ()),
        ]

    @property
    def features(self) -> int:
        """Length of a feature vector."""
        return int(self.head.input_shape[-1])

    @property
    def output_count(self) -> int:
        """Number of outputs per image."""
        return int(self.head.output_shape[-1])

    @property
    def input_specification(self) -> Any:
        """Features float32 (n, features), or pixels 0…255 uint8 (n, height, width, 3)."""
        shape = (None, *self._size, 3) if self._size else (None, self.features)
        return tf.TensorSpec(shape, tf.uint8 if self._size else tf.float32)

    def call(self, inputs: Any, training: bool = False, mask: Any = None) -> Any:
        """Return the head's output; `training` is the mode of the backbone, `mask` (n, features) the dropout mask."""
        features = self.backbone(inputs, training) if self.backbone else inputs
        return self.head(features if mask is None else features * mask)


def dropout_mask(values: Hyperparameters, features: int, positions: Any, step: Any) -> Any:
    """Return float32 (n, features): 0 for a dropped feature, else 1 / (1 - dropout_rate); None without dropout.

    It is drawn for the whole global batch from the seed and the step of the job, and each row takes the mask of its
    position int32 (n,) in the batch, so that the draw does not depend on the number of GPUs.
    """
    if not values.dropout_rate:
        return None
    seed = tf.stack([tf.constant(values.random_seed % 2**31, tf.int32), step])
    drawn = tf.random.stateless_uniform((values.batch_size, features), seed)
    kept = tf.cast(tf.gather(drawn, positions) >= values.dropout_rate, tf.float32)
    return kept / (1 - values.dropout_rate)


def build_loss(values: Hyperparameters, reduction: str = "auto") -> Any:
    """Return cross-entropy with label smoothing: from logits, or of one sigmoid output in binary mode.

    `reduction` is Keras's: "auto" for the mean over the images, "none" for one loss each.
    """
    if values.binary_mode:
        return tf_keras.losses.BinaryCrossentropy(label_smoothing=values.label_smoothing, reduction=reduction)
    return tf_keras.losses.CategoricalCrossentropy(
        from_logits=True, label_smoothing=values.label_smoothing, reduction=reduction
    )


def build_metrics(values: Hyperparameters, classes: int) -> list[Any]:
    """Return the metrics of the log: accuracy, top 5 with more than 5 classes, or the binary metrics."""
    metrics, threshold = tf_keras.metrics, binary_rule.LARGEST_BELOW
    if values.binary_mode:
        return [
            metrics.BinaryAccuracy("accuracy", threshold=threshold),
            metrics.TruePositives(threshold, "true_positives"),
            metrics.FalsePositives(threshold, "false_positives"),
            metrics.TrueNegatives(threshold, "true_negatives"),
            metrics.FalseNegatives(threshold, "false_negatives"),
            metrics.Precision(threshold, name="precision"),
            metrics.Recall(threshold, name="recall"),
            metrics.AUC(name="auc"),
            metrics.AUC(curve="PR", name="prc"),
        ]
    chosen: list[Any] = [metrics.CategoricalAccuracy("accuracy")]
    if classes > 5:
        chosen.append(metrics.TopKCategoricalAccuracy(5, name="top_5_accuracy"))
    return chosen


def targets(labels: Any, values: Hyperparameters, classes: int) -> Any:
    """Return the targets of the loss from class indices (n,): one-hot (n, classes), or (n, 1) in binary mode."""
    if values.binary_mode:
        return tf.cast(labels, tf.float32)[:, tf.newaxis]
    return tf.one_hot(labels, classes)
