"""No client, log reader, disk or limit may silence /ping or block other clients."""

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from image_classifier import artifacts
from tests.platform import sample_images
from tests.platform.serving import Server, running, start_server
from tests.support import tiny_models
from tests.support.waiting import wait_until

IMAGE = sample_images.encode(sample_images.plain(), "PNG")
LINES = b'{"b64":"AAAA"}\n' * 10_000
"""The response is 1.3 MB of errors."""
ANSWER_SECONDS = 1
"""Within which an answer must be taken."""
WATCHED_SECONDS = 2.5 * ANSWER_SECONDS
"""More than twice that time."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with two slots and a short response deadline."""
    tree = tmp_path_factory.mktemp("opt-ml")
    tiny_models.write(tree / "model", "tiny")
    with running(start_server(tree, SERVE_MAX_IN_FLIGHT="2", SERVE_BODY_SECONDS=f"{ANSWER_SECONDS}")) as found:
        yield found


def post(path: str, body: bytes, kind: str = "application/jsonlines") -> bytes:
    """Return a request."""
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


@contextmanager
def slow_readers(server: Server, sent: bytes, count: int) -> Iterator[None]:
    """Let clients send a request repeatedly, and read the responses at some KB a second."""
    stop = threading.Event()

    def read_slowly() -> None:
        while not stop.is_set():
            with suppress(OSError), socket.socket() as client:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                client.settimeout(2)
                client.connect(("127.0.0.1", server.port))
                client.sendall(sent)
                while not stop.wait(0.2) and client.recv(1024):
                    continue

    threads = [threading.Thread(target=read_slowly) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)


@pytest.mark.parametrize(
    ("sent", "count"),
    [
        (post("/invocations", LINES), 6),
        pytest.param(post("/invocation%73", LINES), 12, marks=pytest.mark.every),
        pytest.param(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 100, 20, marks=pytest.mark.every),
        pytest.param(b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n" * 1000, 20, marks=pytest.mark.every),
    ],
    ids=["lines", "another spelling", "metrics", "errors"],
)
def test_slow_readers_do_not_block_others(server: Server, sent: bytes, count: int) -> None:
    """Given more slow readers than slots or threads -> /ping is always answered immediately, and others repeatedly."""
    with slow_readers(server, sent, count):
        end, pings, answered = time.monotonic() + WATCHED_SECONDS, [], 0
        while time.monotonic() < end:
            began = time.monotonic()
            assert server.ping() == 200
            pings.append(time.monotonic() - began)
            answered += server.classify(IMAGE).status == 200
            time.sleep(0.1)
    assert max(pings) < 2
    assert answered > 0
    wait_until(lambda: server.classify(IMAGE).status == 200, 20, "a slot is free again")


@pytest.mark.every
def test_ping_on_a_rejected_connection(server: Server) -> None:
    """Given a connection that was just rejected -> /ping on it is answered immediately, and it is kept."""
    stop = threading.Event()

    def fill() -> None:
        while not stop.is_set():
            with suppress(OSError):
                server.ask("/invocations", LINES, Content_Type="application/jsonlines")

    threads = [threading.Thread(target=fill) for _ in range(6)]
    for thread in threads:
        thread.start()
    waited: list[float] = []

    def rejected_once() -> bool:
        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as client:
            client.sendall(post("/invocations", IMAGE, "image/png"))
            if not client.recv(65536).startswith(b"HTTP/1.1 503 "):
                return False
            began = time.monotonic()
            client.sendall(b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n")
            assert client.recv(65536).startswith(b"HTTP/1.1 200 ")
            waited.append(time.monotonic() - began)
        return len(waited) == 5

    try:
        wait_until(rejected_once, 60, "it was rejected five times")
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)
    # Neither Retry-After nor the deferral of /invocations applies.
    assert min(waited) < 0.5
    assert max(waited) < 1.5


def test_head_responses_have_no_body(server: Server) -> None:
    """Write until the disk is full."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as client:
        for path in ("/ping", "/metrics", "/invocations", "/nothing", "/execution-parameters"):
            client.sendall(f"HEAD {path} HTTP/1.1\r\nHost: x\r\n\r\nGET /ping HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            found = b""
            while found.count(b"\r\n\r\n") < 2:
                found += client.recv(65536)
            head, _, rest = found.partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 ")
            assert rest.startswith(b"HTTP/1.1 200 OK"), (path, found)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", (200, 404, 405)),
        (b"OPTIONS /ping HTTP/1.1\r\nHost: x\r\n\r\n", (200,)),
        (b"TRACE /ping HTTP/1.1\r\nHost: x\r\n\r\n", (405,)),
        (b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n", (400, 404, 405)),
        (b"GET http://x/ping HTTP/1.1\r\nHost: x\r\n\r\n", (200,)),
        (b"GET http://x HTTP/1.1\r\nHost: x\r\n\r\n", (404,)),
        (b"GET ping HTTP/1.1\r\nHost: x\r\n\r\n", (400,)),
        (b"get /ping HTTP/1.1\r\nHost: x\r\n\r\n", (400,)),
        (b"GET /ping\r\n\r\n", (400,)),
        (b"GET /ping HTTP/2.0\r\nHost: x\r\n\r\n", (400,)),
        (b"GET /ping HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n", (400,)),
        (b"GET /ping HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n", (400,)),
        (b"GET /ping HTTP/1.1\r\nHost : x\r\n\r\n", (400,)),
        (b"GET /ping HTTP/1.1\r\nHost: x\r\nExpect: 200-ok\r\n\r\n", (417,)),
        (b"POST /ping HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx", (400,)),
        (b"POST /ping HTTP/1.1\r\nHost: x\r\nContent-Length: 1, 1\r\n\r\nx", (400,)),
        (b"POST /ping HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\nx", (400,)),
        (b"POST /ping HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", (400,)),
        (b"POST /ping HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", (400,)),
        (b"POST /ping HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", (501,)),
        (b"GET /\xff\xfe%00%ff HTTP/1.1\r\nHost: x\r\n\r\n", (400, 404)),
        (b"GET //evil.example/%2e%2e HTTP/1.1\r\nHost: x\r\n\r\n", (404,)),
    ],
)
def test_odd_requests_get_json(server: Server, sent: bytes, status: tuple[int, ...]) -> None:
    """Given unusual requests, valid and invalid by RFC 9112 -> their status, JSON, server unaffected."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as client:
        client.sendall(sent)
        client.shutdown(socket.SHUT_WR)
        found = b""
        while block := client.recv(65536):
            found += block
    head, _, body = found.partition(b"\r\n\r\n")
    assert int(head.split()[1]) in status, head
    assert b"<html" not in body.lower()
    if int(head.split()[1]) >= 400:
        assert "error" in json.loads(body)
    assert server.ping() == 200


def test_http_1_0_keep_alive(server: Server) -> None:
    """Given HTTP/1.0 with and without keep-alive -> the connection is kept, and closed."""
    for words, closes in ((b"Connection: Keep-Alive, TE\r\n", False), (b"", True)):
        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as client:
            client.sendall(b"GET /ping HTTP/1.0\r\n" + words + b"\r\n")
            assert b" 200 " in client.recv(65536)
            client.settimeout(0.5)
            with suppress(TimeoutError):
                assert (client.recv(1) == b"") is closes


def start_with_small_disks(tree: Path, monkeypatch: pytest.MonkeyPatch, **variables: str) -> tuple[Server, Path]:
    """Start a server with 2 MB of temporary folder and 1 MB of /dev/shm; also return that folder's outside path."""
    small = tree / "small"
    small.mkdir()
    mounts = f"mount -t tmpfs -o size=2m tmpfs '{small}' && mount -t tmpfs -o size=1m tmpfs /dev/shm"
    if os.geteuid() or subprocess.run(["unshare", "-m", "sh", "-c", mounts], check=False).returncode:
        pytest.skip("file systems of its own need root")
    wrapper = tree / "wrapper"
    wrapper.write_text(f'#!/bin/sh\nexec unshare -m sh -c "{mounts}"\' && exec "$@"\' sh \'{sys.executable}\' "$@"\n')
    wrapper.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(wrapper))
    server = start_server(tree, TMPDIR=str(small), **variables)
    return server, Path(f"/proc/{server.process.pid}/root{small}")


def fill(folder: Path) -> None:
    """Write until nothing more fits."""
    with suppress(OSError), (folder / "filler").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def test_workers_survive_full_disks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given two workers, full disks, one of them killed -> no other exits, it is restarted, all routes are served."""
    tiny_models.write(tmp_path / "model", "tiny")
    server, small = start_with_small_disks(tmp_path, monkeypatch, SAGEMAKER_MODEL_SERVER_WORKERS="2")
    with running(server):
        wait_until(lambda: server.log().count("Ready on port") == 2, 60, "both are ready")
        before = set(server.workers())
        fill(small)
        requests = (("/invocations", IMAGE), ("/invocations", b"text"), ("/metrics", None), ("/nothing", None))
        for path, body in requests * 5:
            assert server.ask(path, body, Content_Type="image/png").status in (200, 400, 404)
        assert set(server.workers()) == before
        os.kill(min(before), signal.SIGKILL)
        wait_until(lambda: server.log().count("Ready on port") == 3, 60, "another has taken its place")
        fill(small)
        for path, body in requests * 5:
            assert server.ask(path, body, Content_Type="image/png").status in (200, 400, 404)
        assert len(before & set(server.workers())) == 1
        assert server.log().count("exited unexpectedly") == 1


@pytest.mark.every
def test_long_response_on_a_full_disk_is_507(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given lines whose response exceeds memory and disk -> 507 in JSON; a shorter one is answered."""
    model = tiny_models.write(tmp_path / "model", "tiny")
    artifacts.write_labels(model.folder, [letter * 1000 for letter in "abc"])
    server, _ = start_with_small_disks(tmp_path, monkeypatch)
    line = json.dumps({"b64": base64.b64encode(IMAGE).decode()}).encode() + b"\n"
    headers = {"Content_Type": "application/jsonlines", "Accept": "application/json;verbose"}
    with running(server):
        rejected = server.ask("/invocations", line * 3000, **headers)
        assert (rejected.status, rejected.json["error"]) == (507, "no_disk_space")
        assert "No space left on device" in rejected.json["message"]
        assert server.ask("/invocations", line * 30, **headers).status == 200
        assert server.ping() == 200
