"""Detection of hosts that crashed or hang: timeouts, and the error message for the user."""

import re
from collections.abc import Sequence

import tensorflow as tf
from tensorflow.compiler.xla.tsl.protobuf import coordination_config_pb2
from tensorflow.python.eager import context

from image_classifier.contract.errors import PlatformError, first_line
from image_classifier.contract.training_variables import HUNG_HOST, LOST_HOST

_REGISTER_SECONDS = 300
"""From our rendezvous to TensorFlow's own; in between a host only starts TensorFlow's server."""
_LOST_HOST_ERRORS = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
)
_HUNG = "a collective operation did not finish"


def configure_heartbeats(count: int) -> None:
    """Let the chief monitor the heartbeats of `count` hosts; call it before the strategy is created.

    MultiWorkerMirroredStrategy configures the same service with timeouts that cannot be passed to it, and with 10 s for
    heartbeats, which is short for a machine that swaps.
    """
    context.context().configure_coordination_service(
        service_type="standalone",
        service_leader="/job:worker/replica:0/task:0",
        cluster_register_timeout_in_ms=_REGISTER_SECONDS * 1000,
        heartbeat_timeout_in_ms=int(LOST_HOST.read() * 1000),
        coordinated_jobs=[coordination_config_pb2.CoordinatedJob(name="worker", num_tasks=count)],
    )


def abort_collectives(seconds: float) -> None:
    """End every collective operation that this host waits in, with a `tf.errors.DeadlineExceededError`."""
    context.context().abort_collective_ops(tf.errors.DEADLINE_EXCEEDED, f"{_HUNG} within {seconds:.0f} s")


def explain(error: BaseException, names: Sequence[str]) -> PlatformError | None:
    """Return the user's message for an error that a lost or hung host among `names` caused; None for other errors."""
    if len(names) < 2 or not isinstance(error, tf.errors.OpError):
        return None
    text = str(error)
    aborted = re.search(r"aborted by: (.+)", text)
    reason = (aborted[1] if aborted else first_line(error)).rstrip(".")
    if _HUNG in text:
        return PlatformError(
            f"Another host of this job hangs: {reason}. Read the logs of {', '.join(names)}: one of them hangs or is "
            f"much slower than the others. {HUNG_HOST.name} sets how long to wait."
        )
    if not isinstance(error, _LOST_HOST_ERRORS) and "CoordinationService" not in text:
        return None
    tasks = sorted({int(task) for task in re.findall(r"/job:worker/replica:0/task:(\d+)", text)})
    # Heartbeats go to the chief: an error without a task is about the chief.
    lost = [names[task] for task in tasks if task < len(names)] or [names[0]]
    return PlatformError(
        f"Another host of this job exited or is unreachable, so training stopped: {', '.join(lost)} of "
        f"{', '.join(names)} ({reason}). Find the first failure in the logs of the other hosts. Start the job again; "
        "it resumes from its newest checkpoint if there is one."
    )
