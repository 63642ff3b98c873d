"""A mixed load as on an endpoint: images of many sizes, invalid ones, lists, pings, and clients that disconnect."""

import base64
import contextlib
import http.client
import json
import socket
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

from PIL import Image

from tests.platform import sample_images
from tests.unit.imaging import samples

CLIENTS = 4
_SECONDS = 60
_REQUESTS_A_CONNECTION = 20
WEIGHTS: Mapping[str, int] = {
    "small image": 40,
    "image of 800x600": 15,
    "image of 12 megapixels": 1,
    "list of images": 8,
    "bad image": 12,
    "bad JSON": 4,
    "ping": 12,
    "unknown route": 2,
    "hung up in the body": 3,
    "hung up before the answer": 3,
}
"""What is asked, of a hundred requests."""
EXPECTED: Mapping[str, frozenset[int]] = {
    **{kind: frozenset({200}) for kind in ("small image", "image of 800x600", "image of 12 megapixels")},
    **{kind: frozenset({200}) for kind in ("list of images", "ping")},
    "bad image": frozenset({400, 413}),
    "bad JSON": frozenset({400, 413}),
    "unknown route": frozenset({404}),
}
"""Statuses by kind; of clients that hang up nothing is expected."""


@dataclass(frozen=True)
class Bodies:
    """What is sent, made once."""

    small: list[bytes]
    medium: bytes
    large: bytes
    bad: list[bytes]
    documents: list[bytes]


def make_bodies() -> Bodies:
    """Encode the images: photograph-like, in every format, of three sizes."""
    photograph = Image.fromarray(samples.photograph(600, 800))
    small = photograph.resize((224, 224))
    encoded = [sample_images.encode(small, kind) for kind in ("JPEG", "JPEG", "PNG", "WEBP", "GIF", "BMP")]
    large = sample_images.encode(photograph.resize((4_000, 3_000)), "JPEG", quality=85)
    bad = [data for data, _, _ in sample_images.hostile().values()]
    documents = [b"{", b"[]", b'{"instances": [{"b64": "?"}]}', b"9" * 99_999]
    return Bodies(encoded, sample_images.encode(photograph, "JPEG", quality=90), large, bad, documents)


class Load:
    """Clients that send one request after the other without a pause, until they are stopped."""

    def __init__(self, port: int, seed: int):
        self._port, self._bodies, self._stopped = port, make_bodies(), threading.Event()
        self.outcomes: Counter[tuple[str, str]] = Counter()
        self.wrong: list[str] = []
        self._threads = [threading.Thread(target=self._ask, args=(Random(f"{seed}/{n}"),)) for n in range(CLIENTS)]

    @property
    def requests(self) -> int:
        """How many were sent."""
        return self.outcomes.total()

    def start(self) -> "Load":
        """Begin."""
        for thread in self._threads:
            thread.start()
        return self

    def stop(self) -> None:
        """Let the clients end the requests they are at."""
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, random: Random) -> None:
        kinds, weights = list(WEIGHTS), list(WEIGHTS.values())
        while not self._stopped.is_set():
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=_SECONDS)
            for kind in random.choices(kinds, weights, k=_REQUESTS_A_CONNECTION):
                if not self._stopped.is_set():
                    self._ask_one(kind, connection, random)
            connection.close()

    def _ask_one(self, kind: str, connection: http.client.HTTPConnection, random: Random) -> None:
        if kind.startswith("hung up"):
            _hang_up(self._port, random.choice(self._bodies.small), whole=kind == "hung up before the answer")
            self.outcomes[kind, "-"] += 1
            return
        try:
            status = _send(connection, *self._request(kind, random))
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            self.wrong.append(f"{kind}: {type(error).__name__}: {error}")
            self.outcomes[kind, type(error).__name__] += 1
            return
        self.outcomes[kind, str(status)] += 1
        if status not in EXPECTED[kind]:
            self.wrong.append(f"{kind}: {status}")

    def _request(self, kind: str, random: Random) -> tuple[str, bytes | None, str]:
        bodies = self._bodies
        image: Mapping[str, Callable[[], bytes]] = {
            "small image": lambda: random.choice(bodies.small),
            "image of 800x600": lambda: bodies.medium,
            "image of 12 megapixels": lambda: bodies.large,
            "bad image": lambda: random.choice(bodies.bad),
        }
        if kind in image:
            return "/invocations", image[kind](), "application/x-image"
        if kind == "list of images":
            chosen = random.choices(bodies.small, k=random.randint(1, 8))
            rows = [{"b64": base64.b64encode(one).decode()} for one in chosen]
            return "/invocations", json.dumps({"instances": rows}).encode(), "application/json"
        if kind == "bad JSON":
            return "/invocations", random.choice(bodies.documents), "application/json"
        return "/ping" if kind == "ping" else "/nothing", None, ""


def _send(connection: http.client.HTTPConnection, path: str, body: bytes | None, content_type: str) -> int:
    headers = {"Content-Type": content_type} if content_type else {}
    connection.request("GET" if body is None else "POST", path, body, headers)
    answer = connection.getresponse()
    answer.read()
    return answer.status


def _hang_up(port: int, body: bytes, whole: bool) -> None:
    head = b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-image\r\nContent-Length: %d\r\n\r\n"
    sent = head % len(body) + (body if whole else body[: len(body) // 2])
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=_SECONDS) as connection:
        connection.sendall(sent)
