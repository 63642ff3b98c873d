"""What a client may take of the server: time, bytes, slots. Why, is told in docs/decisions/0017 and 0024."""

from dataclasses import dataclass

BLOCK_BYTES = 65536
"""Read at once."""
SMALL_BODY_BYTES = 65536
"""What a body may take without being counted, so that a few large ones do not shut everybody out."""
DROPPED_BYTES = 1024 * 1024
"""What is read and dropped of a rejected request to keep its connection; a new connection would cost more."""
CLOSING_BYTES, CLOSING_SECONDS = 65536, 2.0
"""What is still read of a connection that is closed, so that its client gets to see the answer (RFC 9112, 9.6)."""
ANSWERS_ON_THEIR_WAY = 4
"""Requests whose place is free again while their answer is being sent, and who thus hold a thread without one."""
OTHERS_AT_ONCE = 8
"""Requests that need no slot (/metrics, the page, unknown paths) and have a thread; more wait in the main loop."""
HELD_BACK_SECONDS = 1.5
"""For which a rejected client that asks again at once may get a slot that becomes free, before its next 503."""
SLOW_SECONDS = 2.0
"""After which a request that still arrives is given up where there are more connections than the server may have."""
LONGEST_PAUSE = 15
"""Seconds that Retry-After says at most."""
LAST_CALL_SECONDS, ENDING_SECONDS = 0.5, 15.0
"""At the end: for what is on its way on idle connections, and for requests that have begun to arrive."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What can be set of it."""

    in_flight: int
    """Requests with a place at once."""
    max_body_bytes: int
    body_memory_bytes: int
    """Of all bodies together, each beyond its first 64 KB."""
    header_seconds: float
    body_seconds: float
    keep_alive_seconds: float
