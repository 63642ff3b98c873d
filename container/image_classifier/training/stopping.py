"""SIGTERM: the platform asks the job to end within 120 seconds."""

import signal
import threading


class JobStopped(Exception):  # noqa: N818 - it is no error
    """The job was told to stop before there was a model worth keeping."""


def listen() -> threading.Event:
    """Return an event that SIGTERM sets; call it from the main thread."""
    event = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: event.set())
    return event


def stop_if_told(event: threading.Event) -> None:
    """Leave a phase that has nothing to keep.

    Raises:
        JobStopped: The event is set.
    """
    if event.is_set():
        raise JobStopped
