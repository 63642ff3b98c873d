"""Start a server as a process, time its first responses, send requests, stop it."""

import contextlib
import http.client
import json
import os
import signal
import statistics
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.serving.memory import tree_megabytes

PATH, READY_PATH = "/invocations", "/ping"
PATIENCE = 180
"""Seconds until a server that does not get ready is given up."""
STEADY_REQUESTS = 20


@dataclass(frozen=True)
class Running:
    """A server that has answered once."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path
    ready: float
    """Seconds from the process's start to the first 200 of /ping."""
    first_answer: float
    """Seconds from the process's start to the first image's answer."""
    first_request: float
    """Milliseconds that this answer took."""

    @property
    def url(self) -> str:
        """Where images are posted to."""
        return f"http://127.0.0.1:{self.port}{PATH}"

    def tail(self) -> str:
        """Return the end of its log."""
        return self.log.read_text(encoding="utf-8", errors="replace")[-3000:]

    def megabytes(self) -> float:
        """Return what all its processes hold, see `tree_megabytes`."""
        return tree_megabytes(self.process.pid)

    def steady_request(self, images: Sequence[bytes]) -> float:
        """Return the median milliseconds of one request after the other, each on a connection of its own."""
        return statistics.median(timed(self.port, images[number % len(images)])[1] for number in range(STEADY_REQUESTS))

    def probabilities(self, image: bytes) -> tuple[float, ...]:
        """Return what it answers for an image."""
        found: Any = json.loads(timed(self.port, image)[0])
        return tuple(found["probabilities"])


@contextmanager
def running(
    command: Sequence[str], environment: Mapping[str, str], port: int, scratch: Path, image: bytes
) -> Iterator[Running]:
    """Give a server that has answered its first image; afterwards it is ended with all its processes.

    Raises:
        RuntimeError: It ends, or does not get ready; the end of its log is in the message.
    """
    log = scratch / f"server-{port}.log"
    began = time.perf_counter()
    with log.open("wb") as lines:
        # A session of its own: whatever processes it starts, they end with it.
        process = subprocess.Popen(
            command, env={**os.environ, **environment}, cwd=scratch, stdout=lines, stderr=lines, start_new_session=True
        )
    try:
        _wait_until_ready(process, port, log)
        ready = time.perf_counter() - began
        _, milliseconds = timed(port, image)
        yield Running(process, port, log, ready, time.perf_counter() - began, milliseconds)
    finally:
        end(process)


def timed(port: int, image: bytes) -> tuple[bytes, float]:
    """Post an image on a connection of its own and return the answer's body and the milliseconds.

    Raises:
        RuntimeError: The status is another one than 200.
    """
    began = time.perf_counter()
    status, body = ask(port, "POST", PATH, image)
    if status != 200:
        raise RuntimeError(f"The server answers an image with {status}: {body[:500]!r}")
    return body, 1000 * (time.perf_counter() - began)


def ask(port: int, method: str, path: str, body: bytes | None = None, seconds: float = 60) -> tuple[int, bytes]:
    """Send a request on a connection of its own and return status and body.

    Raises:
        OSError: No response.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds)
    try:
        connection.request(method, path, body, {"Content-Type": "image/jpeg"} if body else {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    except http.client.HTTPException as error:
        raise ConnectionError(f"no whole answer: {error!r}") from error
    finally:
        connection.close()


def end(process: subprocess.Popen[bytes], seconds: float = 30) -> None:
    """Ask a server to end, and after some seconds do not ask any more; processes that it left behind end too."""
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _wait_until_ready(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    limit = time.monotonic() + PATIENCE
    while True:
        with contextlib.suppress(OSError):
            # Some listen long before they answer, and then the connection waits in their backlog.
            if ask(port, "GET", READY_PATH, seconds=PATIENCE)[0] == 200:
                return
        if process.poll() is not None or time.monotonic() > limit:
            tail = log.read_text(encoding="utf-8", errors="replace")[-3000:]
            raise RuntimeError(f"The server {'ended' if process.poll() is not None else 'is not ready'}:\n{tail}")
        time.sleep(0.02)
