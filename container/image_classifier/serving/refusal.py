"""A request that is not answered, and what its sender is told."""

import json
from collections.abc import Mapping

from flask import Response


class RefusedError(Exception):
    """Why a request is refused: HTTP status, a code for programs, a sentence for people, headers of the answer."""

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None):
        super().__init__(message)
        self.status, self.code, self.message, self.headers = status, code, message, headers or {}

    def response(self) -> Response:
        """Return it as JSON, `{"error": code, "message": sentence}`."""
        body = json.dumps({"error": self.code, "message": self.message})
        return Response(body, self.status, dict(self.headers), mimetype="application/json")
