"""A request that is not answered, and what its sender is told."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType

_MEGABYTE = 1024 * 1024
_NOTHING: Mapping[str, str] = MappingProxyType({})


class RejectedError(Exception):
    """Why a request is rejected: HTTP status, a code for programs, a sentence for people, headers of the answer."""

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None):
        super().__init__(message)
        self.status, self.code, self.message, self.headers = status, code, message, headers or {}

    @property
    def body(self) -> bytes:
        """The answer's body, JSON: `{"error": code, "message": sentence}`."""
        return json.dumps({"error": self.code, "message": self.message}).encode()

    def as_bytes(self, keep: bool, sent_back: Mapping[str, str] = _NOTHING, is_head: bool = False) -> bytes:
        """Return a whole answer, with headers that are sent back, for a connection that is kept or closed.

        The answer to a HEAD request ends with its header (RFC 9110, 9.3.2).
        """
        body = self.body
        lines = [
            f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}",
            f"Connection: {'keep-alive' if keep else 'close'}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
            *(f"{name}: {value}" for name, value in (*self.headers.items(), *sent_back.items())),
        ]
        return "\r\n".join([*lines, "", ""]).encode() + (b"" if is_head else body)


def body_too_large(limit: int) -> RejectedError:
    """Return the rejection of a body of more than `limit` bytes."""
    size = f"{limit // _MEGABYTE} MB" if limit >= _MEGABYTE else f"{limit} bytes"
    return RejectedError(413, "body_too_large", f"The body is larger than {size}, the limit here. Send less at once.")


def body_incomplete() -> RejectedError:
    """Return the rejection of a body that ended early or is badly chunked."""
    return RejectedError(400, "incomplete_body", "The body ended early or is badly chunked. Send it again.")
