"""A request that is rejected, and the response to its client."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType

_MEGABYTE = 1024 * 1024
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class RejectedError(Exception):
    """Why a request is rejected: HTTP status, a code for programs, a sentence for people, headers of the response.

    Lone surrogates in the sentence, which JSON may contain and UTF-8 cannot, are written as escapes.
    """

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None):
        message = message.encode(errors="backslashreplace").decode()
        super().__init__(message)
        self.status, self.code, self.message, self.headers = status, code, message, headers or {}

    @property
    def body(self) -> bytes:
        """The body of the response, JSON: `{"error": code, "message": sentence}`."""
        return json.dumps({"error": self.code, "message": self.message}).encode()

    def as_bytes(self, keep: bool, sent_back: Mapping[str, str] = _NO_HEADERS, is_head: bool = False) -> bytes:
        """Return the complete response, for a connection that is kept or closed; `sent_back` are further headers.

        The response to a HEAD request has no body (RFC 9110, 9.3.2).
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
    return RejectedError(413, "body_too_large", f"The body is larger than the limit of {size}. Send less at once.")


def body_incomplete() -> RejectedError:
    """Return the rejection of a body that ended early or is badly chunked."""
    return RejectedError(400, "incomplete_body", "The body ended early or is badly chunked. Send it again.")


def internal_error() -> RejectedError:
    """Return the response to a request that failed for an unforeseen reason."""
    return RejectedError(500, "internal_error", "The request failed inside the server; its log has the details.")
