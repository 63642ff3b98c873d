"""One client of the server under attack: sends images, documents and raw bytes, and checks the responses."""

import base64
import contextlib
import http.client
import json
import re
import socket
import struct
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from tests.benchmarks.fuzz.bodies import Document
from tests.benchmarks.fuzz.extremes.extreme import Extreme
from tests.benchmarks.fuzz.mutants import Mutant
from tests.benchmarks.fuzz.raw_requests import CLOSE, HALF_CLOSE, RESET, WHOLE, RawRequest
from tests.platform import sample_images

SECONDS = 30
"""A server that has neither answered nor closed by then is stuck."""
GOOD = sample_images.encode(sample_images.plain(), "PNG")
_GOOD_EVERY = 25
_TYPES = ("application/x-image", "image/jpeg", "image/png", "application/octet-stream", "image/webp", "text/plain", "")
_ACCEPTS = ("*/*", "application/json", "application/json;verbose", "application/json;verbose;n_predictions=2")
Work = Mutant | Document | RawRequest | Extreme
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) ")


@dataclass
class Findings:
    """How often what came back for which kind, and whatever should not have."""

    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    good: int = 0
    """Good images in between that got their answer."""

    def add(self, kind: str, status: int | None, allowed: int = 0, what: str = "") -> None:
        """Count an outcome; a status from 500 on is wrong unless it is the one that is `allowed`."""
        self.outcomes[kind, "no answer" if status is None else str(status)] += 1
        if status is not None and status >= 500 and status != allowed:
            self.wrong.append(f"{kind}{what}: {status}")


class Client:
    """Keeps a connection, and asks for a good image on it after every few others."""

    def __init__(self, port: int, invoke: str, findings: Findings, random: Random):
        self._port, self._invoke, self._findings, self._random = port, invoke, findings, random
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
        self._sent = 0

    def good_answer(self) -> bytes:
        """Return what the server answers to a good image.

        Raises:
            AssertionError: It is not answered.
        """
        status, answer = self._post(GOOD, "image/png")
        assert status == 200, answer
        return answer

    def send(self, work: Work, expected: bytes) -> None:
        """Send one of the wrong requests and count what comes back; `expected` is what a good image gets."""
        if isinstance(work, Mutant):
            self._send_mutant(work)
        elif isinstance(work, Document):
            path = "/models" if work.loads_a_model else self._invoke
            status, answer = self._post(work.content, work.content_type, path)
            self._findings.add("JSON", status, what=f" {work.content[:60]!r}, {answer[:200]!r}")
        elif isinstance(work, Extreme):
            self._send_extreme(work)
        else:
            self._send_raw(work)
        self._sent += 1
        if self._sent % _GOOD_EVERY == 0:
            status, answer = self._post(GOOD, "image/png")
            self._findings.good += (status, answer) == (200, expected)
            if (status, answer) != (200, expected):
                self._findings.wrong.append(f"a good image in between: {status}, {answer[:200]!r}")

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _send_mutant(self, mutant: Mutant) -> None:
        content_type, body = self._random.choice(_TYPES), mutant.content
        if self._random.random() < 0.1:
            rows = [{"b64": base64.b64encode(content).decode()} for content in (GOOD, mutant.content)]
            content_type, body = "application/json", json.dumps({"instances": rows}).encode()
        status, answer = self._post(body, content_type)
        self._findings.add(mutant.damage, status, what=f" of {mutant.form}, {answer[:200]!r}")
        if status is None:
            self._findings.wrong.append(f"{mutant.damage} of {mutant.form}: no answer")

    def _send_extreme(self, extreme: Extreme) -> None:
        sized = (
            ("Transfer-Encoding", "chunked") if extreme.chunk_bytes else ("Content-Length", f"{len(extreme.content)}")
        )
        fields = [("Content-Type", extreme.content_type), sized, *extreme.headers]
        status, answer = self._exchange(self._invoke, fields, framed(extreme))
        self._findings.add(extreme.kind, status, what=f" of {extreme.weight:,} bytes, {answer[:200]!r}")
        if status is None:
            self._findings.wrong.append(f"{extreme.kind} of {extreme.weight:,} bytes: no answer")

    def _post(self, body: bytes, content_type: str, path: str | None = None) -> tuple[int | None, bytes]:
        fields = [("Content-Length", f"{len(body)}")]
        fields.append(("Accept", self._random.choice(_ACCEPTS) if body is not GOOD else "*/*"))
        fields += [("Content-Type", content_type)] if content_type else []
        return self._exchange(path or self._invoke, fields, body)

    def _exchange(self, path: str, fields: Sequence[tuple[str, str]], body: bytes) -> tuple[int | None, bytes]:
        # A connection that the server has closed meanwhile, as it may, is opened again once.
        for _ in range(2):
            try:
                return self._exchange_once(path, fields, body)
            except TimeoutError:
                break
            except (OSError, http.client.HTTPException):
                self._connection.close()
        self._connection.close()
        return None, b""

    def _exchange_once(self, path: str, fields: Sequence[tuple[str, str]], body: bytes) -> tuple[int, bytes]:
        self._connection.putrequest("POST", path)
        for name, value in fields:
            self._connection.putheader(name, value.encode("latin-1"))
        # The server may have rejected the request before it has all of it, and its response waits here.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._connection.endheaders(body)
        answer = self._connection.getresponse()
        return answer.status, answer.read()

    def _send_raw(self, request: RawRequest) -> None:
        statuses = _raw_exchange(self._port, request, request.content.replace(b"/invocations", self._invoke.encode()))
        # A client that half-closes while it is queued looks like one that has disconnected.
        if request.kind == WHOLE and statuses not in ([200], [499] if request.ending == HALF_CLOSE else [200]):
            self._findings.wrong.append(f"a raw request {WHOLE}, {request.ending}: {statuses}")
        allowed, what = 501 if request.unknown_coding else 0, f" {request.content[:200]!r}"
        if not statuses:
            self._findings.add(request.kind, None)
        for status in statuses:
            self._findings.add(request.kind, status, allowed, what)


def framed(extreme: Extreme) -> bytes:
    """Return the body as it is sent: in chunks (RFC 9112, 7.1) when the input asks for them."""
    size, content = extreme.chunk_bytes, extreme.content
    if not size:
        return content
    pieces = (content[start : start + size] for start in range(0, len(content), size))
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def _raw_exchange(port: int, request: RawRequest, content: bytes) -> list[int]:
    """Send raw bytes, end as the request says and return the statuses that came back."""
    with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as connection:
        # The server may have had enough before it has everything.
        with contextlib.suppress(ConnectionError):
            connection.sendall(content)
            if request.ending == HALF_CLOSE:
                connection.shutdown(socket.SHUT_WR)
        if request.ending == RESET:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if request.ending in (CLOSE, RESET):
            return []
        found = b""
        with contextlib.suppress(ConnectionError):
            while block := connection.recv(65_536):
                found += block
        return [int(status) for status in _STATUS.findall(found)]
