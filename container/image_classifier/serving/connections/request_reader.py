"""Incremental reader of HTTP requests; gunicorn's parser interprets the header."""

import io
from typing import Any
from urllib.parse import unquote_to_bytes

from image_classifier.serving.connections import request_head
from image_classifier.serving.connections.chunks import Chunks
from image_classifier.serving.connections.gunicorn_internals import parse_errors

HEADER_BYTES = 65536
"""Longest header; gunicorn's own limits on lines and fields apply within it."""
_EMPTY_LINES = 8
"""Skipped before a request line: some old clients send them after a body (RFC 9112, 2.2)."""


class RequestReader:
    """The bytes of a connection, one request at a time."""

    def __init__(self, cfg: Any, client: Any):
        self._cfg, self._client = cfg, client
        self._buffer = bytearray()
        self._number = 0
        self.next_request()

    def next_request(self) -> None:
        """Start the next request; buffered bytes after the previous one are its beginning."""
        self.request: Any = None
        """The parsed request, once its header is complete."""
        self.is_head = False
        """Whether the method is HEAD, whose responses have no body, not even those about a malformed header."""
        self.path = b""
        """The decoded path, as the application sees it: /invocation%73 is /invocations."""
        self.content_length: int | None = None
        """Bytes of the body by Content-Length; None when it is chunked or the header is incomplete."""
        self.received = 0
        """Bytes of the body that have arrived."""
        self._body: io.BytesIO | None = io.BytesIO()
        self._chunks: Chunks | None = None
        self._searched = 0
        self._skipped = 0

    @property
    def has_started(self) -> bool:
        """Whether any byte of this request has arrived."""
        return self.request is not None or bool(self._buffer)

    @property
    def is_complete(self) -> bool:
        """Whether header and body have arrived."""
        if self.request is None:
            return False
        return self._chunks.ended if self._chunks else self.received == self.content_length

    @property
    def missing(self) -> int:
        """Bytes of the body still to arrive, as far as is known."""
        return (self.content_length or self.received) - self.received

    def feed(self, data: bytes) -> None:
        """Add received bytes.

        Raises:
            RejectedError: A header is too long.
            ParseException: The header is not valid HTTP; one of gunicorn's errors, which says how.
            MalformedChunkError: The body is not validly chunked.
        """
        if self.content_length is not None and not self._buffer and len(data) <= self.missing:
            self._keep(data)
            return
        self._buffer += data
        if self.request is None:
            self._read_header()
        if self.request is not None and not self.is_complete:
            self._read_body()

    def discard(self) -> None:
        """Drop the body, including the part still to arrive."""
        self._body = None

    def take_body(self) -> io.BytesIO:
        """Return the body for reading, once, without copying it."""
        gathered, self._body = self._body or io.BytesIO(), None
        # A BytesIO made from bytes shares them, and returns them uncopied when read whole.
        return io.BytesIO(gathered.getvalue())

    def _read_header(self) -> None:
        while self._buffer[:2] == b"\r\n" and self._skipped < _EMPTY_LINES:
            del self._buffer[:2]
            self._skipped += 1
        if self._buffer and not self._buffer[:1].isalpha() and self._buffer != b"\r":
            raise parse_errors.InvalidRequestLine(ascii(bytes(self._buffer[:20])))
        end = self._buffer.find(b"\r\n\r\n", max(self._searched - 3, 0), HEADER_BYTES)
        self._searched = len(self._buffer)
        if end < 0:
            if len(self._buffer) >= HEADER_BYTES:
                raise parse_errors.LimitRequestHeaders(f"more than {HEADER_BYTES} bytes")
            return
        header = bytes(self._buffer[: end + 4])
        del self._buffer[: end + 4]
        self._number += 1
        self.is_head = header.startswith(b"HEAD ")
        self.request = request_head.parse(self._cfg, header, self._client, self._number)
        self.path = unquote_to_bytes(self.request.path)
        request_head.check_lengths(self.request)
        self.content_length = self.request.content_length
        if self.content_length is None:
            self._chunks = Chunks()

    def _read_body(self) -> None:
        if self._chunks:
            self._keep(self._chunks.take(self._buffer))
            return
        piece = bytes(self._buffer[: self.missing])
        del self._buffer[: len(piece)]
        self._keep(piece)

    def _keep(self, data: bytes) -> None:
        self.received += len(data)
        if self._body is not None:
            self._body.write(data)
