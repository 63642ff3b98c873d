"""Measurements of our server under overload, during shutdown, and after long work."""

import contextlib
import http.client
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from tests.benchmarks.serving import load, rows, servers
from tests.benchmarks.serving.load import Load
from tests.benchmarks.serving.places import Places
from tests.benchmarks.serving.servers import PATH, READY_PATH, Running
from tests.support.waiting import free_port

IN_FLIGHT = 64
_HEAD_START = 0.1
"""Seconds between the last request and SIGTERM, for the server to take them in."""
_PING_PAUSE, _PROBE_PAUSE = 0.05, 0.2
"""Seconds between two pings, and two images, of clients that come in between."""


@dataclass(frozen=True)
class Overload:
    """What so many connections did to the server, and what others saw meanwhile."""

    load: Load
    pings: tuple[float, ...]
    rejections: tuple[float, ...]
    """Milliseconds of answers to /ping, and of answers 503 to images, each on a connection of its own."""
    unanswered: int
    """Of both, those without an answer, and pings answered by another status than 200."""
    taken: int = 0
    """Images of those other clients that were answered with status 200."""

    @property
    def goodput(self) -> float:
        """Images answered in a second, whosever they were."""
        return (self.load.answers + self.taken) / self.load.seconds


@dataclass(frozen=True)
class Ended:
    """What became of requests that were sent whole before SIGTERM."""

    before: int
    """Answered before SIGTERM."""
    answered: int
    """With status 200 after it."""
    rejected: int
    """Rejected with 503 and Retry-After."""
    lost: int
    """Without a whole answer, or with another status."""
    exit_code: int
    seconds: float
    """From SIGTERM to the process's end."""


@dataclass(frozen=True)
class Round:
    """What one round measured of one server."""

    peaks: Mapping[int, float]
    """Images answered in a second, by number of connections, as many as it can take."""
    overloads: Mapping[int, Overload]
    """By number of connections, more than it can take."""
    ended: Ended


@dataclass(frozen=True)
class Held:
    """Memory of all processes in MiB (PSS)."""

    ready: float
    after_small: float
    after_large: float


@contextmanager
def ours(places: Places) -> Iterator[Running]:
    """Give our server, started afresh."""
    port = free_port()
    command, environment = rows.command(rows.OURS, places, port), rows.environment(rows.OURS, places, port)
    with servers.running(command, environment, port, places.scratch, places.small[0].read_bytes()) as server:
        yield server


def overload(server: Running, places: Places, connections: int, seconds: float) -> Overload:
    """Put load on a server over so many connections, while others ping it and send images now and then."""
    over, image = threading.Event(), places.small[0].read_bytes()
    pings: list[float] = []
    rejections: list[float] = []
    statuses: list[int] = []
    unanswered: list[str] = []

    def ping() -> None:
        began = time.perf_counter()
        status, _ = servers.ask(server.port, "GET", READY_PATH)
        if status == 200:
            pings.append(1000 * (time.perf_counter() - began))
        else:
            unanswered.append(f"/ping answers {status}")

    def probe() -> None:
        began = time.perf_counter()
        status, _ = servers.ask(server.port, "POST", PATH, image)
        statuses.append(status)
        if status == 503:
            rejections.append(1000 * (time.perf_counter() - began))

    def repeat(what: Callable[[], None], pause: float) -> None:
        while not over.wait(pause):
            try:
                what()
            except OSError as error:
                unanswered.append(str(error))

    others = [threading.Thread(target=repeat, args=(ping, _PING_PAUSE))]
    others += [threading.Thread(target=repeat, args=(probe, _PROBE_PAUSE)) for _ in range(2)]
    for thread in others:
        thread.start()
    try:
        found = load.put(server.url, connections, seconds, places.small)
    finally:
        over.set()
        for thread in others:
            thread.join()
    return Overload(found, tuple(pings), tuple(rejections), len(unanswered), statuses.count(200))


def end_under_load(server: Running, places: Places) -> Ended:
    """Send `IN_FLIGHT` requests, then SIGTERM, and count what comes back."""
    image, statuses = places.small[0].read_bytes(), list[int]()
    sent = threading.Semaphore(0)

    def post() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        with contextlib.closing(connection):
            connection.request("POST", PATH, image, {"Content-Type": "image/jpeg"})
            sent.release()
            with contextlib.suppress(OSError, http.client.HTTPException):
                answer = connection.getresponse()
                answer.read()
                statuses.append(answer.status)

    threads = [threading.Thread(target=post) for _ in range(IN_FLIGHT)]
    for thread in threads:
        thread.start()
    for _ in threads:
        if not sent.acquire(timeout=30):
            raise RuntimeError("The server does not take in what is sent.")
    time.sleep(_HEAD_START)
    before, began = len(statuses), time.perf_counter()
    server.process.terminate()
    for thread in threads:
        thread.join()
    code, seconds = server.process.wait(60), time.perf_counter() - began
    answered, rejected = statuses.count(200), statuses.count(503)
    return Ended(before, answered - before, rejected, IN_FLIGHT - answered - rejected, code, seconds)


def memory(server: Running, places: Places) -> Held:
    """Read the memory before, after 1,000 small images (16 at a time) and after 100 large ones (4 at a time)."""
    ready = server.megabytes()
    _post(server, [path.read_bytes() for path in places.small], count=1000, at_once=16)
    after_small = server.megabytes()
    _post(server, [path.read_bytes() for path in places.large], count=100, at_once=4)
    return Held(ready, after_small, server.megabytes())


def _post(server: Running, images: list[bytes], count: int, at_once: int) -> None:
    with ThreadPoolExecutor(at_once) as pool:
        for _ in pool.map(lambda number: servers.timed(server.port, images[number % len(images)]), range(count)):
            pass
