"""A web server on loopback that sends parts of files as real ones do, and fails as a test asks it to."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.support.web_servers import in_a_thread


@dataclass(frozen=True)
class Cut:
    """End the connection after so many bytes of the body."""

    after: int


@dataclass
class FaultyServer:
    """`files` by path without query; each request takes the first of `faults`: a status, a Cut or None."""

    files: dict[str, bytes]
    faults: list[int | Cut | None] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    """Sent with every file."""
    with_etag: bool = True
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    """Path with its query, and the Range, of every request."""
    address: str = ""


@contextmanager
def serving(server: FaultyServer) -> Iterator[FaultyServer]:
    """Run it; `server.address` is its address without a last slash."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.close_connection = True
            wanted = self.headers.get("Range")
            server.asked.append((self.path, wanted))
            fault = server.faults.pop(0) if server.faults else None
            content = server.files.get(self.path.partition("?")[0])
            if isinstance(fault, int) or content is None:
                self.send_error(fault if isinstance(fault, int) else 404)
                return
            etag = f'"{sha256(content).hexdigest()[:16]}"'
            found = re.fullmatch(r"bytes=(\d+)-", wanted or "")
            start = int(found[1]) if found and self.headers.get("If-Range") == etag else 0
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            for name, value in {**({"ETag": etag} if server.with_etag else {}), **server.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            end = start + fault.after if isinstance(fault, Cut) else len(content)
            self.wfile.write(content[start:end])

        def log_message(self, *_: object) -> None:
            pass

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.address = f"http://127.0.0.1:{listener.server_port}"
    with in_a_thread(listener):
        yield server
