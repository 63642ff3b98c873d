"""`container/serve` as SageMaker starts it: a process on a folder tree, asked over HTTP."""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.waiting import answers, free_port, wait_until

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Answer:
    """What came back for a request."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass
class Server:
    """A started server; its log is a file."""

    process: subprocess.Popen[bytes]
    port: int
    log_file: Path
    started: float = field(default_factory=time.monotonic)

    def log(self) -> str:
        """Return what it has printed so far."""
        return self.log_file.read_text(encoding="utf-8", errors="replace")

    def ask(self, path: str, body: Any = None, method: str | None = None, **headers: str) -> Answer:
        """Send a request on a connection of its own; underscores in header names stand for hyphens."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method or ("GET" if body is None else "POST"), path, body, named)
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.headers), answer.read())
        finally:
            connection.close()

    def classify(self, image: bytes, **headers: str) -> Answer:
        """Send an image as clients of SageMaker do."""
        return self.ask("/invocations", image, **{"Content_Type": "application/x-image", **headers})

    def ping(self) -> int:
        """Return what /ping says, 0 when nothing listens yet."""
        try:
            return self.ask("/ping").status
        except OSError:
            return 0

    def wait_until_ready(self, seconds: float = 120) -> None:
        """Wait until /ping says 200; fail at once when the process has ended."""

        def ready() -> bool:
            assert self.process.poll() is None, f"the server ended: {self.log()[-4000:]}"
            return self.ping() == 200

        wait_until(ready, seconds, f"/ping says 200; the log: {self.log()[-4000:]}")

    def end(self, seconds: float = 30) -> int:
        """Wait for its end and return the exit code."""
        return self.process.wait(seconds)

    def workers(self) -> list[int]:
        """Return the ids of its processes below the first."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(word) for word in children.read_text().split()]

    def resident_megabytes(self) -> float:
        """Return what its first worker holds in memory."""
        status = Path(f"/proc/{self.workers()[0]}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) / 1024


def start_server(tree: Path, **variables: str) -> Server:
    """Start the serving program on a platform tree, on a free port, in a folder that is not its own."""
    port = free_port()
    log_file = tree / f"log-{port}.txt"
    environment = {**os.environ, "SAGEMAKER_BASE_DIR": str(tree), "SAGEMAKER_BIND_TO_PORT": str(port), **variables}
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "container" / "serve")], env=environment, cwd=tree, stdout=log, stderr=log
        )
    return Server(process, port, log_file)


@contextmanager
def running(server: Server) -> Iterator[Server]:
    """Give a started server once it is ready; afterwards SIGTERM must end it with 0."""
    try:
        server.wait_until_ready()
        yield server
    finally:
        server.process.terminate()
        assert server.end() == 0, server.log()


@contextmanager
def served_locally(model: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run scripts/serve-locally until /ping says 200; gives the process and the URL. SIGTERM must end it with 0."""
    port = free_port()
    command = [str(ROOT / "scripts" / "serve-locally"), str(model), "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        wait_until(lambda: process.poll() is not None or answers(f"http://127.0.0.1:{port}/ping"), 120, "ready")
        assert process.poll() is None
        yield process, f"http://127.0.0.1:{port}/invocations"
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=40)
    assert process.returncode == 0
