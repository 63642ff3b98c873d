"""Incremental decoder of a chunked body (RFC 9112, section 7.1)."""

import re

_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?")
_LINE_BYTES = 4096
_TRAILER_BYTES = 16384
_FRAMING_BYTES, _FRAMING_SHARE = 1 << 20, 2
"""Bytes of sizes and extensions that are allowed in total, and per byte of data; more would be an endless body."""


class MalformedChunkError(ValueError):
    """The body is not validly chunked."""


class Chunks:
    """Decodes chunks from a growing buffer."""

    def __init__(self) -> None:
        self.ended = False
        """Whether the last chunk and its trailers have arrived."""
        self._left = 0
        self._closing = False
        self._trailers: int | None = None
        self._framing = self._received = 0

    def take(self, buffer: bytearray) -> bytes:
        """Remove everything that can be decoded from the front of the buffer, and return its data.

        Raises:
            MalformedChunkError: A size or trailer is invalid, a chunk is longer than its size, or there is far more
                framing than data.
        """
        found: list[bytes] = []
        while not self.ended and buffer:
            if self._left:
                found.append(self._data(buffer))
            elif self._closing:
                if len(buffer) < 2:
                    break
                self._close(buffer)
            elif (line := _line(buffer)) is None:
                break
            elif self._trailers is None:
                self._begin(line)
            else:
                self._trailer(line)
        return b"".join(found)

    def _data(self, buffer: bytearray) -> bytes:
        piece = bytes(buffer[: self._left])
        del buffer[: len(piece)]
        self._received += len(piece)
        self._left -= len(piece)
        self._closing = not self._left
        return piece

    def _close(self, buffer: bytearray) -> None:
        if buffer[:2] != b"\r\n":
            raise MalformedChunkError(f"no line end after the data but {bytes(buffer[:2])!r}")
        del buffer[:2]
        self._closing = False

    def _begin(self, line: bytes) -> None:
        self._framing += len(line) + 4
        size = _SIZE.fullmatch(line)
        if not size or self._framing > _FRAMING_BYTES + _FRAMING_SHARE * self._received:
            raise MalformedChunkError(f"chunk size {line[:20]!r}")
        self._left = int(size[1], 16)
        if not self._left:
            self._trailers = 0

    def _trailer(self, line: bytes) -> None:
        # Trailers are read and discarded; the application uses none.
        self._trailers = (self._trailers or 0) + len(line)
        if self._trailers > _TRAILER_BYTES:
            raise MalformedChunkError("trailers too long")
        self.ended = not line


def _line(buffer: bytearray) -> bytes | None:
    end = buffer.find(b"\r\n", 0, _LINE_BYTES)
    if end < 0:
        if len(buffer) >= _LINE_BYTES:
            raise MalformedChunkError(f"chunk size {bytes(buffer[:20])!r}")
        return None
    line = bytes(buffer[:end])
    del buffer[: end + 2]
    return line
