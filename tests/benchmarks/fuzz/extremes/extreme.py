"""An input that costs more than its size suggests."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

IMAGE, JSON, JSON_LINES = "application/x-image", "application/json", "application/jsonlines"


@dataclass(frozen=True)
class Extreme:
    """A request to the path of predictions: body, headers, and how many images it asks for at most."""

    content: bytes
    content_type: str = IMAGE
    headers: tuple[tuple[str, str], ...] = ()
    images: int = 1
    chunk_bytes: int = 0
    """Size of the chunks in which the body is sent; 0 for a body with its length in the header."""
    kind: str = ""
    """What the report calls it."""

    @property
    def chunks(self) -> int:
        """How many the body is sent in."""
        return -(-len(self.content) // self.chunk_bytes) if self.chunk_bytes else 0

    @property
    def weight(self) -> int:
        """Bytes that the client sends for it, of header and body."""
        return len(self.content) + 5 * self.chunks + sum(len(name) + len(value) + 4 for name, value in self.headers)


Generator = Callable[[Random], Extreme]
"""Makes another one at each call, by the generator of numbers alone."""


def repeated(random: Random, piece: bytes, most_bytes: int) -> bytes:
    """Repeat a piece up to a drawn number of bytes; small sizes are as frequent as large ones."""
    return piece * max(1, int(most_bytes ** random.uniform(0.3, 1)) // len(piece))
