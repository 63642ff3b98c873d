"""A chunked body (RFC 9112, section 7.1), decoded as far as it has come."""

import re

from gunicorn.http.errors import ChunkMissingTerminator, InvalidChunkSize

_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?")
_LINE_BYTES = 4096
_TRAILER_BYTES = 16384
_FRAMING_BYTES, _FRAMING_SHARE = 1 << 20, 2
"""Bytes that sizes and their extensions may take in all, and for each byte of data: else a body has no end in sight."""


class Chunks:
    """Takes chunks out of a buffer that grows."""

    def __init__(self) -> None:
        self.ended = False
        """Whether the last chunk and its trailers have come."""
        self._left = 0
        self._closing = False
        self._trailers: int | None = None
        self._framing = self._received = 0

    def take(self, buffer: bytearray) -> bytes:
        """Remove what can be understood from the front of the buffer and return the data that it carries.

        Raises:
            InvalidChunkSize: A size or a trailer is none, or there is far more of them than of data.
            ChunkMissingTerminator: A chunk is longer than its size.
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
            raise ChunkMissingTerminator(bytes(buffer[:2]))
        del buffer[:2]
        self._closing = False

    def _begin(self, line: bytes) -> None:
        self._framing += len(line) + 4
        size = _SIZE.fullmatch(line)
        if not size or self._framing > _FRAMING_BYTES + _FRAMING_SHARE * self._received:
            raise InvalidChunkSize(line[:20])
        self._left = int(size[1], 16)
        if not self._left:
            self._trailers = 0

    def _trailer(self, line: bytes) -> None:
        # They are read and dropped: nothing here asks for any.
        self._trailers = (self._trailers or 0) + len(line)
        if self._trailers > _TRAILER_BYTES:
            raise InvalidChunkSize(b"trailers")
        self.ended = not line


def _line(buffer: bytearray) -> bytes | None:
    end = buffer.find(b"\r\n", 0, _LINE_BYTES)
    if end < 0:
        if len(buffer) >= _LINE_BYTES:
            raise InvalidChunkSize(bytes(buffer[:20]))
        return None
    line = bytes(buffer[:end])
    del buffer[: end + 2]
    return line
