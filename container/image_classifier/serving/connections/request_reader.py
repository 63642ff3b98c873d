"""One HTTP request as it arrives, gathered until it is whole. What its header means, gunicorn's parser says."""

import io
from typing import Any
from urllib.parse import unquote_to_bytes

from gunicorn.http.body import ChunkedReader
from gunicorn.http.errors import InvalidRequestLine, LimitRequestHeaders

from image_classifier.serving.connections import request_head
from image_classifier.serving.connections.chunks import Chunks

HEADER_BYTES = 65536
"""The longest header; gunicorn's own limits of lines and fields hold within it."""
_EMPTY_LINES = 8
"""Before a request line, as old clients send them behind a body; skipped (RFC 9112, 2.2)."""


class RequestReader:
    """The bytes that a connection brings, a request at a time."""

    def __init__(self, cfg: Any, client: Any):
        self._cfg, self._client = cfg, client
        self._rest = bytearray()
        self._number = 0
        self.begin()

    def begin(self) -> None:
        """Turn to the next request; what came behind the last one is its beginning."""
        self.request: Any = None
        """gunicorn's request, once the header is whole."""
        self.is_head = False
        """Whether the method is HEAD, whose answers have no body, not even those about a malformed header."""
        self.path = b""
        """The decoded path, as the application sees it: /invocation%73 is /invocations."""
        self.announced: int | None = None
        """Bytes of the body by Content-Length; None when it is chunked or the header is not whole yet."""
        self.received = 0
        """Bytes of the body that have come."""
        self._body: io.BytesIO | None = io.BytesIO()
        self._chunks: Chunks | None = None
        self._searched = 0
        self._skipped = 0

    @property
    def begun(self) -> bool:
        """Whether anything of this request has come."""
        return self.request is not None or bool(self._rest)

    @property
    def whole(self) -> bool:
        """Whether header and body have come."""
        if self.request is None:
            return False
        return self._chunks.ended if self._chunks else self.received == self.announced

    @property
    def missing(self) -> int:
        """Bytes of the body that are still to come, as far as is known."""
        return (self.announced or self.received) - self.received

    def feed(self, data: bytes) -> None:
        """Take what the connection brought.

        Raises:
            RejectedError: A header is longer than is allowed.
            ParseException: The header is no HTTP; one of gunicorn's errors that say how.
            OSError: A chunk of the body is none, by gunicorn's errors for it.
        """
        if self.announced is not None and not self._rest and len(data) <= self.missing:
            self._keep(data)
            return
        self._rest += data
        if self.request is None:
            self._read_header()
        if self.request is not None and not self.whole:
            self._read_body()

    def discard(self) -> None:
        """Drop the body, also what is still to come of it."""
        self._body = None

    def body(self) -> io.BytesIO:
        """Return the body for reading, once; it is not copied."""
        gathered, self._body = self._body or io.BytesIO(), None
        # A BytesIO made from bytes shares them, and gives them away whole.
        return io.BytesIO(gathered.getvalue())

    def _read_header(self) -> None:
        while self._rest[:2] == b"\r\n" and self._skipped < _EMPTY_LINES:
            del self._rest[:2]
            self._skipped += 1
        if self._rest and not self._rest[:1].isalpha() and self._rest != b"\r":
            raise InvalidRequestLine(ascii(bytes(self._rest[:20])))
        end = self._rest.find(b"\r\n\r\n", max(self._searched - 3, 0), HEADER_BYTES)
        self._searched = len(self._rest)
        if end < 0:
            if len(self._rest) >= HEADER_BYTES:
                raise LimitRequestHeaders(f"more than {HEADER_BYTES} bytes")
            return
        header = bytes(self._rest[: end + 4])
        del self._rest[: end + 4]
        self._number += 1
        self.is_head = header.startswith(b"HEAD ")
        self.request = request_head.parse(self._cfg, header, self._client, self._number)
        self.path = unquote_to_bytes(self.request.path)
        request_head.check_lengths(self.request)
        reader = self.request.body.reader
        if isinstance(reader, ChunkedReader):
            self._chunks = Chunks()
        else:
            self.announced = reader.length

    def _read_body(self) -> None:
        if self._chunks:
            self._keep(self._chunks.take(self._rest))
            return
        piece = bytes(self._rest[: self.missing])
        del self._rest[: len(piece)]
        self._keep(piece)

    def _keep(self, data: bytes) -> None:
        self.received += len(data)
        if self._body is not None:
            self._body.write(data)
