import contextlib
import http.client
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import pytest

from tests.platform import sample_images
from tests.platform.serving import ROOT, Server
from tests.support import tiny_models
from tests.support.waiting import free_port

IMAGE = sample_images.encode(sample_images.plain(), "PNG")
JUMPING_CLOCK = Path(__file__).parent / "jumping_clock"
DAY = 86_400


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A platform tree with a small model that OpenVINO serves."""
    tiny_models.write(tmp_path / "model", "tiny")
    return tmp_path


Started = Callable[..., Server]


@pytest.fixture
def start_with(tree: Path) -> Iterator[Started]:
    """Start a server with given output streams, or with words before its command; stop it afterwards."""
    started: list[Server] = []

    def run(stream: IO[bytes] | int, before: tuple[str, ...] = (), **variables: str) -> Server:
        own = {"SAGEMAKER_BASE_DIR": str(tree), "SAGEMAKER_BIND_TO_PORT": str(port := free_port())}
        command = [*before, sys.executable, str(ROOT / "container" / "serve")]
        environment = {**os.environ, **own, **variables}
        process = subprocess.Popen(command, env=environment, cwd=tree, stdout=stream, stderr=stream)
        nothing = tree / "nothing"
        nothing.touch()
        started.append(Server(process, port, nothing))
        return started[-1]

    yield run
    for server in started:
        server.process.kill()
        server.end()


def exit_code_after_work(server: Server) -> int:
    """Send requests with and without a log line, stop the server, and return its exit code."""
    for _ in range(20):
        noted = server.ask("/invocations", IMAGE, Content_Type="text/plain")
        assert (noted.status, server.classify(b"text").status, server.classify(IMAGE).status) == (200, 400, 200)
    with_no_http = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    with_no_http.request("GET", "/ping", headers={"Content-Length": "x"})
    assert with_no_http.getresponse().status == 400
    with_no_http.close()
    assert len(server.workers()) == 1
    server.process.terminate()
    return server.end()


def test_full_log_disk_is_tolerated(start_with: Started) -> None:
    """Given output streams on a full disk -> ready, responses, exit code 0."""
    with open("/dev/full", "wb") as full:  # noqa: PTH123 - a device, not a path of ours
        server = start_with(full, SAGEMAKER_CONTAINER_LOG_LEVEL="10")
    server.wait_until_ready()
    assert exit_code_after_work(server) == 0


def test_disappearing_log_reader_is_tolerated(start_with: Started) -> None:
    """Given a pipe whose reader exits while the server runs -> responses, exit code 0."""
    reading, writing = os.pipe()
    server = start_with(writing, SAGEMAKER_CONTAINER_LOG_LEVEL="10")
    os.close(writing)
    server.wait_until_ready()
    os.close(reading)
    assert exit_code_after_work(server) == 0


def test_stalled_log_reader_is_tolerated(start_with: Started) -> None:
    """Given a full pipe without a reader -> responses, exit code 0."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writing, bytes(4096))
    os.set_blocking(writing, True)
    server = start_with(writing)
    os.close(writing)
    server.wait_until_ready(30)
    assert exit_code_after_work(server) == 0
    os.close(reading)


def test_closed_output_streams_never_become_connections(start_with: Started) -> None:
    """Given a server started with closed streams -> they point to /dev/null in each process, never to a client."""
    server = start_with(subprocess.DEVNULL, ("sh", "-c", 'exec "$0" "$@" <&- >&- 2>&-'))
    server.wait_until_ready()
    for process in (server.process.pid, *server.workers()):
        streams = Path(f"/proc/{process}/fd")
        assert [str((streams / str(number)).readlink()) for number in range(3)] == ["/dev/null"] * 3
    assert exit_code_after_work(server) == 0


def test_broken_model_stops_the_server_without_a_log(start_with: Started, tree: Path) -> None:
    """Given a corrupt model and a full log disk -> a non-zero exit code instead of a server without a model."""
    (tree / "model" / "openvino" / "model.bin").write_bytes(b"x")
    with open("/dev/full", "wb") as full:  # noqa: PTH123 - as above
        server = start_with(full)
    assert server.end(30) != 0


def test_clock_jumps_are_tolerated(start_with: Started, tree: Path) -> None:
    """Given a clock that jumps by days during a request and on a kept connection -> both continue, no crash."""
    offset = tree / "offset"
    offset.write_text("0")
    variables = {"PYTHONPATH": str(JUMPING_CLOCK), "CLOCK_OFFSET_FILE": str(offset)}
    server = start_with(subprocess.DEVNULL, **variables)
    server.wait_until_ready()
    workers = server.workers()
    kept = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    kept.request("GET", "/ping")
    kept.getresponse().read()
    used = kept.sock
    begun = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    begun.putrequest("POST", "/invocations")
    begun.putheader("Content-Type", "image/png")
    begun.putheader("Content-Length", str(len(IMAGE)))
    begun.endheaders(IMAGE[:50])
    # One request later, the server is processing the first one.
    assert server.ping() == 200
    for days in (1, -1):
        replace(offset, str(days * DAY))
        # gunicorn checks its workers and idle connections each second.
        time.sleep(1.2)
    begun.send(IMAGE[50:])
    assert begun.getresponse().status == 200
    kept.request("GET", "/ping")
    assert kept.getresponse().status == 200
    assert kept.sock is used
    assert server.workers() == workers
    for connection in (kept, begun):
        connection.close()
    server.process.terminate()
    assert server.end() == 0


def replace(path: Path, text: str) -> None:
    """Write a file atomically."""
    partial = path.with_suffix(".partial")
    partial.write_text(text)
    partial.replace(path)
