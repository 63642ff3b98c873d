"""Why a request is not served: too large, no slot, no memory for its body, too slow."""

import time

from image_classifier.serving.connections import admission
from image_classifier.serving.connections.admission import BodyMemoryBudget
from image_classifier.serving.connections.answering import Answering
from image_classifier.serving.connections.connection import Connection
from image_classifier.serving.connections.limits import SMALL_BODY_BYTES, Limits
from image_classifier.serving.connections.waiting_line import WaitingLine
from image_classifier.serving.rejection import RejectedError, body_too_large

_WORK = (b"/invocations", b"/invoke", b"/models")
"""Ends of the decoded paths to which a POST needs a slot: it classifies or loads a model."""


class Objections:
    """Looks at requests while they arrive, and counts the bytes of their bodies."""

    def __init__(self, limits: Limits, answering: Answering, line: WaitingLine):
        self._limits, self._answering, self._line = limits, answering, line
        self._bodies = BodyMemoryBudget(limits.body_memory_bytes, SMALL_BODY_BYTES)

    def to(self, connection: Connection) -> RejectedError | None:
        """Return the rejection of a request whose header has come, None when there is nothing against it so far."""
        incoming, limits, first = connection.incoming, self._limits, not connection.in_body
        if max(incoming.announced or 0, incoming.received) > limits.max_body_bytes:
            return body_too_large(limits.max_body_bytes)
        if first:
            connection.needs_slot = incoming.request.method == "POST" and incoming.path.endswith(_WORK)
        # A body on its way has no slot: there must be one when it begins, else it is sent in vain, and at its end.
        if connection.needs_slot and (first or incoming.whole) and self._answering.is_full:
            return admission.busy(limits.in_flight, self.pause(connection))
        if not self.count(connection, incoming.received) or (first and not self._bodies.fits(incoming.missing)):
            return admission.no_memory(limits.body_memory_bytes, self.pause(connection))
        return None

    def too_slow(self, connection: Connection) -> RejectedError:
        """Return the rejection of a request that did not arrive in time."""
        part = "body" if connection.in_body else "header"
        seconds = self._limits.body_seconds if connection.in_body else self._limits.header_seconds
        return RejectedError(
            408, "timeout", f"The request's {part} did not arrive within {seconds:g} s. Send it again."
        )

    def count(self, connection: Connection, now: int) -> bool:
        """Count the bytes that a connection's body has in memory now; says whether all bodies fit together."""
        before, connection.counted = connection.counted, now
        return self._bodies.change(before, now)

    def pause(self, connection: Connection) -> int:
        """Return the seconds after which a rejected client may try again."""
        # What is left of the time that it was told before; else behind those that were rejected before.
        left = self._line.seconds_left(connection, time.monotonic())
        return left or self._answering.pace.seconds(len(self._line) + 1)
