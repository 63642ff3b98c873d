"""tensorboard=True: the metrics of each epoch as TensorBoard's event files, written without TensorBoard.

An event file is a TFRecord file of `tensorflow.Event` messages (tensorflow/core/util/event.proto), the first of which
names the version. TensorBoard shows each folder as a run.
"""

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_VERSION = "brain.Event:2"
_RUNS = {"train": "", "validation": "val_"}
"""Folders, as of Keras's callback, and what begins the names of their metrics in an epoch."""


def write(folder: Path, epochs: Sequence[Mapping[str, float]]) -> None:
    """Write a run for training and one for validation; step i is epoch i, from 1 on.

    Raises:
        OSError: The folder cannot be made.
        tf.errors.OpError: The disk is full or not writable.
    """
    import tensorflow as tf

    now = time.time()
    for run, prefix in _RUNS.items():
        (folder / run).mkdir(parents=True, exist_ok=True)
        path = folder / run / f"events.out.tfevents.{now:.0f}.{os.uname().nodename}.{os.getpid()}.0"
        with tf.io.TFRecordWriter(str(path)) as writer:
            writer.write(_event(now, file_version=_VERSION))
            for step, metrics in enumerate(epochs, start=1):
                writer.write(_event(now, step=step, summary=_summary(_of_run(metrics, prefix))))


def _of_run(metrics: Mapping[str, float], prefix: str) -> dict[str, float]:
    validation = _RUNS["validation"]
    return {
        name.removeprefix(prefix): value
        for name, value in metrics.items()
        if name.startswith(prefix or validation) == bool(prefix)
    }


def _event(now: float, **content: Any) -> bytes:
    from tensorflow.core.util import event_pb2

    serialized: bytes = event_pb2.Event(wall_time=now, **content).SerializeToString()
    return serialized


def _summary(values: Mapping[str, float]) -> Any:
    from tensorflow.core.framework import summary_pb2

    value = summary_pb2.Summary.Value
    return summary_pb2.Summary(
        value=[value(tag=f"epoch_{name}", simple_value=number) for name, number in values.items()]
    )
