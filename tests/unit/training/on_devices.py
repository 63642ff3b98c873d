"""What the tests of two devices do in a process of its own: devices are chosen before TensorFlow starts."""

import json
import sys
from typing import Any

import numpy as np

from image_classifier import tensorflow_start
from image_classifier.contract.opt_ml import Resources
from tests.unit.training import optimizing


def two_processors() -> None:
    """Let TensorFlow see this machine's processor as two devices; nothing of TensorFlow may have run."""
    tensorflow_start.start()
    import tensorflow as tf

    [processor] = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * 2)


def observe() -> dict[str, Any]:
    """Start on both devices and return what the tests look at."""
    import tensorflow as tf

    from image_classifier.training.distributed.cluster import start

    cluster = start(Resources(), devices=("CPU:0", "CPU:1"))
    with cluster.strategy.scope():
        factor = tf.Variable(3.0)

    def tell(rows: Any) -> Any:
        replica = tf.cast(tf.distribute.get_replica_context().replica_id_in_sync_group, tf.float32)
        return tf.stack([rows[:, 0] * factor, tf.fill(tf.shape(rows)[:1], replica)], axis=1)

    triple_and_tell = tf.function(tell, input_signature=[tf.TensorSpec((None, 2), tf.float32)])
    inputs = np.arange(10, dtype=np.float32).reshape(5, 2)
    return {
        "strategy": type(cluster.strategy).__name__,
        "replicas": [cluster.replicas, cluster.local_replicas, cluster.count],
        "mapped": {count: cluster.map_rows(triple_and_tell, inputs[:count]).tolist() for count in (5, 4, 1)},
        "nothing": list(cluster.map_rows(triple_and_tell, inputs[:0]).shape),
        "traced": triple_and_tell.experimental_get_tracing_count(),
        "gathered": cluster.gather(inputs).tolist(),
        "told": cluster.gather_json({"a": [1]}),
        "steps": {name: vars(optimizing.run(cluster.strategy, **case)) for name, case in optimizing.CASES.items()},
    }


if __name__ == "__main__":
    two_processors()
    json.dump(observe(), sys.stdout)
