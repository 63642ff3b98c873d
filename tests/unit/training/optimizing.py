"""Steps of the optimizers on gradients that are given, on the devices of a strategy."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.unit.training import small

HEAD, BACKBONE = (1.0, -2.0), (0.5, 4.0, -1.0)
"""Where the two variables start."""
RANDOM = np.random.default_rng(3).normal(size=(4, 2, 5)).astype(np.float32).tolist()
"""Gradients of four steps: of two images each, those of both variables."""
OVERFLOW = [[*RANDOM[0]], [RANDOM[1][0], [float("inf"), 0, 0, 0, 0]], *RANDOM[2:]]
"""The same, one number of which is too large for float16."""


@dataclass(frozen=True)
class Part:
    """What the head, the backbone, the step counts and slots, and the scaled 1 are after each step."""

    head: list[list[float]]
    backbone: list[list[float]]
    variables: list[list[Any]]
    scale: list[float]


def run(
    strategy: Any, precision: str, gradients: Sequence[Any], frozen: int = 0, factor: float = 1.0, **given: Any
) -> Part:
    """Take a step on each gradient, spread over the replicas; the first `frozen` steps leave the backbone alone."""
    import tensorflow as tf

    from image_classifier.training.loop.optimization import Optimizers

    replicas = strategy.num_replicas_in_sync
    with strategy.scope():
        head, backbone = tf.Variable(HEAD), tf.Variable(BACKBONE)
        values = small.settings(backbone_learning_rate_factor=factor, **given)
        optimizers = Optimizers(values, [head], [backbone], precision)

    def apply(rows: Any, whole: bool) -> None:
        own = optimizers.scaled(tf.reduce_sum(rows, axis=0))
        optimizers.apply([own[:2]], [own[2:]] if whole else None)

    step = tf.function(lambda rows, whole: strategy.run(apply, args=(rows, whole)))
    parts: list[Any] = []
    for index, images in enumerate(gradients):
        shares = np.array_split(np.array(images, np.float32), replicas)
        step(spread(strategy, shares), index >= frozen)
        state = [variable.numpy().tolist() for variable in optimizers.variables]
        parts.append((head.numpy().tolist(), backbone.numpy().tolist(), state, float(optimizers.scaled(1.0))))
    return Part(*map(list, zip(*parts, strict=True)))


def spread(strategy: Any, shares: Sequence[Any]) -> Any:
    """Give each replica its share."""
    import tensorflow as tf

    return strategy.experimental_distribute_values_from_function(
        lambda context: tf.constant(shares[context.replica_id_in_sync_group])
    )


CASES: dict[str, dict[str, Any]] = {
    "sgd": {"precision": "off", "gradients": RANDOM, "optimizer": "sgd", "factor": 0.1},
    "adam, the backbone later": {"precision": "off", "gradients": RANDOM, "optimizer": "adam", "frozen": 2},
    "clipped": {"precision": "off", "gradients": RANDOM, "optimizer": "sgd", "gradient_clip_norm": 0.5},
    "float16": {"precision": "float16", "gradients": OVERFLOW, "optimizer": "adam", "gradient_clip_norm": 0.5},
}
