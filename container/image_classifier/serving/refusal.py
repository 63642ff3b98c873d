"""A request that is not answered, and what its sender is told."""

import json
from collections.abc import Mapping
from http import HTTPStatus

from flask import Response


class RefusedError(Exception):
    """Why a request is refused: HTTP status, a code for programs, a sentence for people, headers of the answer."""

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None):
        super().__init__(message)
        self.status, self.code, self.message, self.headers = status, code, message, headers or {}

    def response(self) -> Response:
        """Return it as JSON, `{"error": code, "message": sentence}`."""
        return Response(self._body(), self.status, dict(self.headers), mimetype="application/json")

    def as_bytes(self, keep: bool) -> bytes:
        """Return the same as bytes for a connection that is kept, or closed afterwards."""
        body = self._body().encode()
        lines = [
            f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}",
            f"Connection: {'keep-alive' if keep else 'close'}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
            *(f"{name}: {value}" for name, value in self.headers.items()),
        ]
        return "\r\n".join([*lines, "", ""]).encode() + body

    def _body(self) -> str:
        return json.dumps({"error": self.code, "message": self.message})
