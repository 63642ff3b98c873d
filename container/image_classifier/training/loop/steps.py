"""The compiled training step over all replicas."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras
from numpy.typing import NDArray

from image_classifier.contract.errors import UserError
from image_classifier.contract.hyperparameters import Hyperparameters
from image_classifier.training.data import augmentation
from image_classifier.training.data.batches import Batch
from image_classifier.training.devices import precision
from image_classifier.training.distributed.cluster import Cluster
from image_classifier.training.loop.optimization import Optimizers
from image_classifier.training.model import classifier
from image_classifier.training.model.classifier import Network


@dataclass(frozen=True)
class Outcome:
    """Result of a step, equal on all hosts."""

    loss: float
    """Loss of the global batch, with regularisation."""
    flags: tuple[bool, ...]
    """Flags that any host raised."""


@dataclass(frozen=True)
class TunedPart:
    """What training changes in a backbone."""

    variables: Sequence[Any]
    """Those of its trainable variables that are trained."""
    batch_statistics: bool = True
    """Whether it runs in training mode: BatchNorm normalises by each batch and updates its moving statistics. If not,
    it runs as in serving, and the statistics stay frozen."""


class NotDeterministic(UserError):  # noqa: N818 - a sentence for the user, as its base
    """The backbone draws random numbers without a seed."""


class Steps:
    """Trains a network batch by batch and accumulates the metrics of an epoch."""

    def __init__(
        self,
        network: Network,
        values: Hyperparameters,
        class_weights: NDArray[np.float32],
        cluster: Cluster,
        kind: str,
        part: TunedPart | None = None,
    ) -> None:
        """Prepare to train under `hosts.strategy`, with `class_weights` (classes,) and in the precision `kind`.

        `part` is what is trained of the backbone, by default all of it, in training mode.
        """
        self._network, self._values, self._cluster, self._kind = network, values, cluster, kind
        self._part = part or TunedPart(network.backbone.trainable_variables if network.backbone else [])
        self._class_weights = tf.constant(class_weights)
        with cluster.strategy.scope():
            self._loss = classifier.build_loss(values, reduction="none")
            self._metrics = [tf_keras.metrics.Mean("loss"), *classifier.build_metrics(values, len(class_weights))]
            self.optimizers = Optimizers(values, network.head.trainable_variables, self._part.variables, kind)
        signature = self._signature() if cluster.replicas == 1 else None
        # The backbone may be frozen in some epochs and trained in others; each function is traced at its first call.
        # Without AutoGraph: nothing here branches on a tensor, and AutoGraph takes a fifth of the tracing time.
        self._compiled = [
            tf.function(self._global_step(train_backbone), input_signature=signature, autograph=False)
            for train_backbone in (False, True)
        ]

    @property
    def variables(self) -> list[Any]:
        """State outside the network that one step passes to the next: optimizer slots, then metrics."""
        return [*self.optimizers.variables, *(variable for metric in self._metrics for variable in metric.variables)]

    def train(self, batch: Batch, step: int, rate: float, flags: Sequence[bool], train_backbone: bool) -> Outcome:
        """Run step `step` (from 0, over the whole job) at learning rate `rate`; `flags` are this host's. Collective.

        Raises:
            NotDeterministic: deterministic=True, and the backbone cannot be deterministic.
        """
        self.optimizers.set_rate(rate)
        parts = (batch.inputs, batch.labels, batch.counted, batch.positions, batch.transforms)
        compiled = self._compiled[train_backbone]
        scalars = tf.constant(step, tf.int32), tf.constant(flags, tf.float32)
        try:
            with self._cluster.collective_timeout(), precision.applied(self._kind, self._values.xla):
                loss, raised = compiled(*map(self._over_replicas, parts), *scalars)
                return Outcome(float(loss), tuple(bool(flag) for flag in raised.numpy()))
        except tf.errors.OpError as error:
            if self._values.deterministic and "must have a seed" in str(error):
                raise NotDeterministic(
                    "deterministic=True is not possible with this backbone: its SavedModel draws random numbers, such "
                    "as for dropout, without a seed. Leave deterministic out, or set train_only_top_layer=True."
                ) from error
            raise

    def read_metrics(self) -> dict[str, float]:
        """Return the metrics over the steps since the last reset, `loss` first. Collective: every host must call it."""
        return {metric.name: float(metric.result()) for metric in self._metrics}

    def reset_metrics(self) -> None:
        """Reset the metrics for a new epoch."""
        for metric in self._metrics:
            metric.reset_state()

    def _signature(self) -> list[Any]:
        rows = self._network.input_specification
        return [
            rows,
            tf.TensorSpec((None,), tf.int64),
            tf.TensorSpec((None,), tf.float32),
            tf.TensorSpec((None,), tf.int32),
            tf.TensorSpec((None, 8 if self._values.augmentation else 0), tf.float32),
            tf.TensorSpec((), tf.int32),
            tf.TensorSpec((None,), tf.float32),
        ]

    def _over_replicas(self, rows: NDArray[Any]) -> Any:
        replicas = self._cluster.local_replicas
        if replicas == 1 and self._cluster.count == 1:
            return tf.constant(rows)
        parts = np.split(rows, replicas)
        return self._cluster.strategy.experimental_distribute_values_from_function(
            lambda context: tf.constant(parts[context.replica_id_in_sync_group % replicas])
        )

    def _global_step(self, train_backbone: bool) -> Any:
        strategy = self._cluster.strategy

        def step(*arguments: Any) -> tuple[Any, Any]:
            losses, flags = strategy.run(lambda *given: self._replica_step(train_backbone, *given), arguments)
            # Every replica has the same sums.
            return strategy.experimental_local_results(losses)[0], strategy.experimental_local_results(flags)[0]

        return step

    def _replica_step(
        self,
        train_backbone: bool,
        inputs: Any,
        labels: Any,
        counted: Any,
        positions: Any,
        transforms: Any,
        step: Any,
        flags: Any,
    ) -> tuple[Any, Any]:
        values = self._values
        if values.augmentation:
            inputs = augmentation.apply(tf.cast(inputs, tf.float32), transforms)
        targets = classifier.targets(labels, values, self._class_weights.shape[0])
        context = tf.distribute.get_replica_context()
        shares = counted / self._sum(context, tf.reduce_sum(counted))
        mask = classifier.dropout_mask(values, self._network.features, positions, step)
        weights = tf.gather(self._class_weights, labels)
        outputs, losses, loss, head_gradients, backbone_gradients = self._differentiate(
            inputs, targets, weights, shares, mask, train_backbone
        )
        self.optimizers.apply(head_gradients, backbone_gradients if train_backbone else None)
        self._metrics[0].update_state(losses, sample_weight=counted)
        for metric in self._metrics[1:]:
            metric.update_state(targets, outputs, sample_weight=counted)
        # A copy per replica: all_reduce does not know the destination of a tensor that all replicas share.
        return self._sum(context, loss), self._sum(context, tf.identity(flags))

    def _differentiate(
        self, inputs: Any, targets: Any, weights: Any, shares: Any, mask: Any, train_backbone: bool
    ) -> tuple[Any, Any, Any, list[Any], list[Any]]:
        """Return outputs, losses of rows, this replica's share of the batch loss, gradients of head and backbone."""
        network = self._network
        with tf.GradientTape() as tape:
            outputs = network(inputs, training=train_backbone and self._part.batch_statistics, mask=mask)
            losses = self._loss(targets, outputs) * weights
            penalty = tf.add_n(network.losses) if network.losses else tf.constant(0.0)
            loss = tf.reduce_sum(losses * shares) + penalty / self._cluster.replicas
            scaled = self.optimizers.scaled(loss)
        head = network.head.trainable_variables
        backbone = self._part.variables if train_backbone else []
        gradients = tape.gradient(scaled, [*head, *backbone])
        return outputs, losses + penalty, loss, gradients[: len(head)], gradients[len(head) :]

    def _sum(self, context: Any, value: Any) -> Any:
        return value if self._cluster.replicas == 1 else context.all_reduce(tf.distribute.ReduceOp.SUM, value)
