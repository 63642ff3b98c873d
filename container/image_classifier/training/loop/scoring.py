"""Predictions of a network for images that it does not train on, and their metrics."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from image_classifier.contract.hyperparameters import Hyperparameters
from image_classifier.training.data import batches
from image_classifier.training.data.batches import Rows
from image_classifier.training.distributed.cluster import Cluster
from image_classifier.training.model import classifier
from image_classifier.training.model.classifier import Network

_ROWS_AT_ONCE = 4096


@dataclass(frozen=True)
class Predictions:
    """Outputs of a network for the readable rows."""

    outputs: NDArray[np.float32]
    """Logits (n, classes), or probabilities (n, 1) in binary mode."""
    rows: NDArray[np.int64]
    """Indices of the rows, int64 (n,)."""

    def probabilities(self, values: Hyperparameters) -> NDArray[np.float32]:
        """Return probabilities (n, classes), or (n, 1) in binary mode."""
        if values.binary_mode:
            return self.outputs
        probabilities: NDArray[np.float32] = tf.nn.softmax(self.outputs).numpy()
        return probabilities


class Evaluator:
    """Predicts with one network, compiled once, and scores the predictions."""

    def __init__(self, network: Network, values: Hyperparameters, cluster: Cluster) -> None:
        self._network, self._values, self._cluster = network, values, cluster
        specification = network.input_specification
        self._run = tf.function(
            lambda inputs: network(inputs, training=False), input_signature=[specification], autograph=False
        )
        self._penalty = tf.function(
            lambda: tf.add_n(network.losses) if network.losses else tf.constant(0.0), autograph=False
        )

    def predict(self, rows: Rows, stop: Callable[[], None] = lambda: None) -> Predictions:
        """Return the predictions for all rows. Collective; `stop` is called before each batch, and may raise."""
        size = self._values.batch_size if self._network.backbone else _ROWS_AT_ONCE
        outputs, indices = [], []
        for inputs, readable in batches.in_order(rows, batches.local_rows(rows, self._cluster), size):
            stop()
            if len(readable):
                outputs.append(self._cluster.map_rows(self._run, inputs))
                indices.append(readable)
        nothing = np.empty((0, self._network.output_count), np.float32)
        local = np.concatenate([nothing, *outputs]), np.concatenate([np.empty(0, np.int64), *indices])
        return Predictions(*map(self._cluster.gather, local))

    def score(self, predictions: Predictions, labels: NDArray[np.int64]) -> dict[str, float]:
        """Return the loss, with regularisation, and the metrics of predictions; `labels` are those of all rows."""
        values, classes = self._values, self._network.output_count
        loss, metrics = classifier.build_loss(values), classifier.build_metrics(values, classes)
        total = 0.0
        for start in range(0, len(predictions.rows), _ROWS_AT_ONCE):
            outputs = tf.constant(predictions.outputs[start : start + _ROWS_AT_ONCE])
            expected = labels[predictions.rows[start : start + _ROWS_AT_ONCE]]
            targets = classifier.targets(tf.constant(expected), values, classes)
            total += float(loss(targets, outputs)) * len(expected)
            for metric in metrics:
                metric.update_state(targets, outputs)
        mean: Any = total / max(len(predictions.rows), 1) + float(self._penalty())
        return {"loss": mean, **{metric.name: float(metric.result()) for metric in metrics}}
