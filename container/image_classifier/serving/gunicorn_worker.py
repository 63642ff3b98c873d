"""gunicorn's threaded worker with three changes.

Errors below HTTP are JSON too, an answer can close its connection, and idle connections do not hold up the end.
"""

import json
from typing import Any

from gunicorn.http import errors
from gunicorn.workers.gthread import ThreadWorker

from image_classifier.serving import connection

_STATUS = {
    errors.UnsupportedTransferCoding: (501, "Not Implemented"),
    errors.ExpectationFailed: (417, "Expectation Failed"),
    errors.LimitRequestHeaders: (431, "Request Header Fields Too Large"),
}


class Worker(ThreadWorker):  # type: ignore[misc, unused-ignore]
    """A process with one copy of the model and many threads."""

    def handle_request(self, req: Any, conn: Any) -> Any:
        """Serve one request."""
        connection.serve(req)
        try:
            return super().handle_request(req, conn)
        finally:
            connection.serve(None)

    def murder_keepalived(self) -> None:
        """Close idle connections; when the server shall end all of them, since each would hold it up."""
        self._expire(self.keepalived_conns)
        super().murder_keepalived()

    def murder_pending(self) -> None:
        """Close connections that never sent a byte; when the server shall end all of them."""
        self._expire(self.pending_conns)
        super().murder_pending()

    def _expire(self, connections: Any) -> None:
        if not self.alive:
            for waiting in connections:
                waiting.timeout = 0

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Answer what gunicorn could not understand as HTTP; its own answer would be HTML."""
        if isinstance(exc, errors.ParseException):
            status, reason = _STATUS.get(type(exc), (400, "Bad Request"))
            code, message = "malformed_request", f"This is not HTTP as it should be: {exc}"[:300]
            self.log.info("Refused a malformed request: %s", exc)
        else:
            status, reason, code = 500, "Internal Server Error", "internal_error"
            message = "The request failed inside the server; its log says more."
            self.log.error("A request failed below the application.", exc_info=exc)
        body = json.dumps({"error": code, "message": message}).encode()
        head = (
            f"HTTP/1.1 {status} {reason}\r\nConnection: close\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        try:
            client.sendall(head.encode() + body)
        except OSError:
            self.log.debug("The client was gone before it could be told.")
