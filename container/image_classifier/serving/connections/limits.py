"""Limits on what one client may use: time, bytes, slots. Reasons: docs/decisions/0017 and 0024."""

from dataclasses import dataclass

BLOCK_BYTES = 65536
"""Read per call of recv()."""
SMALL_BODY_BYTES = 65536
"""Part of each body outside the memory budget, so that a few large bodies do not lock out small ones."""
MAX_DISCARDED_BYTES = 1024 * 1024
"""Largest rest of a rejected request that is read and discarded to keep its connection; a new one would cost more."""
LINGER_BYTES, LINGER_SECONDS = 65536, 2.0
"""Lingering close: still read from a connection that is being closed, so that the client sees the response (RFC 9112,
9.6)."""
RESPONSES_IN_FLIGHT = 4
"""Extra threads for requests whose slot is free again while their response is still being sent."""
SLOTLESS_THREADS = 8
"""Threads for requests without a slot (/metrics, the web UI, unknown paths); further ones queue in the main loop."""
BACK_OFF_SECONDS = 1.5
"""How long a request that ignored Retry-After is deferred, waiting for a free slot, before its next 503."""
SLOW_ARRIVAL_SECONDS = 2.0
"""Age from which an incomplete request may be evicted when the server is at its limit of connections."""
MAX_RETRY_AFTER = 15
"""Upper bound of Retry-After in seconds."""
IDLE_DRAIN_SECONDS, DRAIN_SECONDS = 0.5, 15.0
"""During graceful shutdown: for requests in transit on idle connections, and for requests that have started."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The configurable limits."""

    in_flight: int
    """Concurrent requests with a slot."""
    max_body_bytes: int
    body_memory_bytes: int
    """Of all bodies together, each beyond its first 64 KB."""
    header_seconds: float
    body_seconds: float
    keep_alive_seconds: float
