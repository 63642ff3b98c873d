"""When to reject a request that is arriving: too large, no slot, no memory for its body, too slow."""

import time

from image_classifier.serving.connections import admission
from image_classifier.serving.connections.admission import BodyMemoryBudget
from image_classifier.serving.connections.connection import Connection
from image_classifier.serving.connections.dispatcher import Dispatcher
from image_classifier.serving.connections.limits import SMALL_BODY_BYTES, Limits
from image_classifier.serving.connections.retry_queue import RetryQueue
from image_classifier.serving.rejection import RejectedError, body_too_large

_SLOT_PATHS = (b"/invocations", b"/invoke", b"/models")
"""Suffixes of the decoded paths for which a POST needs a slot: it classifies or loads a model."""


class RejectionPolicy:
    """Check requests while they arrive, and account for the memory of their bodies."""

    def __init__(self, limits: Limits, dispatcher: Dispatcher, retry_queue: RetryQueue):
        self._limits, self._dispatcher, self._retry_queue = limits, dispatcher, retry_queue
        self._bodies = BodyMemoryBudget(limits.body_memory_bytes, SMALL_BODY_BYTES)

    def rejection_for(self, connection: Connection) -> RejectedError | None:
        """Return why to reject a request whose header is complete; None to accept it so far."""
        reader, limits, first = connection.reader, self._limits, not connection.in_body
        if max(reader.content_length or 0, reader.received) > limits.max_body_bytes:
            return body_too_large(limits.max_body_bytes)
        if first:
            connection.needs_slot = reader.request.method == "POST" and reader.path.endswith(_SLOT_PATHS)
        # An arriving body holds no slot. One must be free when it starts, or it is sent in vain, and when it is
        # complete.
        if connection.needs_slot and (first or reader.is_complete) and self._dispatcher.is_full:
            return admission.busy(limits.in_flight, self.retry_after(connection))
        fits = self.account_body(connection, reader.received)
        if not fits or (first and not self._bodies.fits(reader.missing)):
            return admission.no_memory(limits.body_memory_bytes, self.retry_after(connection))
        return None

    def timeout(self, connection: Connection) -> RejectedError:
        """Return the rejection of a request that missed its deadline."""
        part = "body" if connection.in_body else "header"
        seconds = self._limits.body_seconds if connection.in_body else self._limits.header_seconds
        return RejectedError(
            408, "timeout", f"The request's {part} did not arrive within {seconds:g} s. Send it again."
        )

    def account_body(self, connection: Connection, size: int) -> bool:
        """Account for `size` bytes of a connection's body in memory; return whether all bodies are within budget."""
        before, connection.accounted_bytes = connection.accounted_bytes, size
        return self._bodies.change(before, size)

    def retry_after(self, connection: Connection) -> int:
        """Return the seconds after which a rejected client may retry."""
        # The remainder of its previous Retry-After; for a new client, the estimate for the end of the queue.
        left = self._retry_queue.seconds_left(connection, time.monotonic())
        return left or self._dispatcher.retry_after.seconds(len(self._retry_queue) + 1)
