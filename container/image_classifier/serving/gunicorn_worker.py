"""gunicorn's threaded worker with five changes.

Errors below HTTP are JSON too; an answer can close its connection; closing holds nobody up; at the end new connections
are refused, and idle ones do not hold it up.
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

    def handle(self, conn: Any) -> Any:
        """Serve what a connection brings, and close it here when it is done.

        gunicorn closes in its main loop and there waits up to two seconds for the client to close too, while nobody
        else is let in.
        """
        kept = super().handle(conn)
        if kept is False:
            conn.close(graceful=True)
            conn.close = _closed_already
        return kept

    def handle_request(self, req: Any, conn: Any) -> Any:
        """Serve one request."""
        connection.serve(req)
        try:
            return super().handle_request(req, conn)
        finally:
            connection.serve(None)

    def set_accept_enabled(self, enabled: bool) -> None:
        """Begin or cease to accept connections; for good when the server shall end.

        What the kernel has accepted by then is still served. Later connections are refused, where gunicorn would leave
        them waiting in its backlog until the process is gone.
        """
        super().set_accept_enabled(enabled)
        if not enabled and not self.alive:
            for listener in self.sockets:
                known = -1
                while self.nr_conns != known:
                    known = self.nr_conns
                    self.accept(listener)
                listener.close()

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


def _closed_already(graceful: bool = False) -> None:
    return
