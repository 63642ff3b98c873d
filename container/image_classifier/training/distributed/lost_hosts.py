"""How a host notices that another one died or hangs, within what time, and how it says so."""

import os
import re
from collections.abc import Mapping, Sequence

import tensorflow as tf
from tensorflow.compiler.xla.tsl.protobuf import coordination_config_pb2
from tensorflow.python.eager import context

from image_classifier.contract.errors import PlatformError, first_line

LOST_VARIABLE, LOST_SECONDS = "LOST_HOST_SECONDS", 60.0
"""A host that is not heard of for so long counts as lost; TensorFlow's own 10 s are short for a machine that pages."""
HUNG_VARIABLE, HUNG_SECONDS = "HUNG_HOST_SECONDS", 1800.0
"""How long a host that lives may keep the others waiting: for its images, or for the end of its step."""
_REGISTER_SECONDS = 300
"""From the meeting to TensorFlow's own; both hosts have only to start its server in between."""
_SIGNS = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
)
_HUNG = "no answer to a call for all hosts"


def lost_seconds(environment: Mapping[str, str] | None = None) -> float:
    """Return after how long a silent host counts as lost: `LOST_HOST_SECONDS`, or 60."""
    return _seconds(LOST_VARIABLE, LOST_SECONDS, environment)


def hung_seconds(environment: Mapping[str, str] | None = None) -> float:
    """Return how long the others wait for a host that lives: `HUNG_HOST_SECONDS`, or half an hour."""
    return _seconds(HUNG_VARIABLE, HUNG_SECONDS, environment)


def _seconds(variable: str, default: float, environment: Mapping[str, str] | None) -> float:
    variables = os.environ if environment is None else environment
    return float(variables.get(variable) or default)


def configure_heartbeats(count: int) -> None:
    """Let the chief hear each of the `count` hosts' heartbeats; call it before the strategy is made.

    MultiWorkerMirroredStrategy does it itself, with times that cannot be given to it.
    """
    context.context().configure_coordination_service(
        service_type="standalone",
        service_leader="/job:worker/replica:0/task:0",
        cluster_register_timeout_in_ms=_REGISTER_SECONDS * 1000,
        heartbeat_timeout_in_ms=int(lost_seconds() * 1000),
        coordinated_jobs=[coordination_config_pb2.CoordinatedJob(name="worker", num_tasks=count)],
    )


def abort_collectives(seconds: float) -> None:
    """End every call for all hosts that this host waits in, with a `tf.errors.DeadlineExceededError`."""
    context.context().abort_collective_ops(tf.errors.DEADLINE_EXCEEDED, f"{_HUNG} within {seconds:.0f} s")


def explain(error: BaseException, names: Sequence[str]) -> PlatformError | None:
    """Return what a job with these hosts says of an error that came of a lost or hanging host, None for others."""
    if len(names) < 2 or not isinstance(error, tf.errors.OpError):
        return None
    text = str(error)
    aborted = re.search(r"aborted by: (.+)", text)
    reason = (aborted[1] if aborted else first_line(error)).rstrip(".")
    if _HUNG in text:
        return PlatformError(
            f"Another host keeps this one waiting: {reason}. Look at the logs of {', '.join(names)}: one of them "
            f"hangs, or is much slower than the others. {HUNG_VARIABLE} says how long to wait."
        )
    if not isinstance(error, _SIGNS) and "CoordinationService" not in text:
        return None
    tasks = sorted({int(task) for task in re.findall(r"/job:worker/replica:0/task:(\d+)", text)})
    # The chief is the one that heartbeats go to.
    lost = [names[task] for task in tasks if task < len(names)] or [names[0]]
    return PlatformError(
        f"Another host of this job ended or cannot be reached, so training cannot go on: {', '.join(lost)} of "
        f"{', '.join(names)} ({reason}). Look at the other hosts' logs for the first failure. Start the job again, and "
        "it continues from its newest checkpoint where it has one."
    )
