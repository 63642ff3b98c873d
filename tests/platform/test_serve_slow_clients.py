"""Slow, silent, pipelining and disconnecting clients."""

import base64
import http.client
import json
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.platform import sample_images
from tests.platform.serving import Server, running, start_server
from tests.support.waiting import wait_until

SLOW_CLIENTS = 200
IMAGE = sample_images.encode(sample_images.plain(), "PNG")
HEAD = b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n"
REQUEST = HEAD + b"Content-Length: %d\r\n\r\n" % len(IMAGE) + IMAGE
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(IMAGE), IMAGE)
PING = b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture(scope="module")
def server(colour_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with two slots and timeouts of one second for a header and two for a body."""
    tree = tmp_path_factory.mktemp("opt-ml")
    shutil.copytree(colour_models / "both+openvino", tree / "model")
    variables = {"SERVE_MAX_IN_FLIGHT": "2", "SERVE_HEADER_SECONDS": "1", "SERVE_BODY_SECONDS": "2"}
    with running(start_server(tree, **variables)) as found:
        yield found
        assert "Traceback" not in found.log()


def connect(server: Server, sent: bytes) -> socket.socket:
    """Open a connection and send data."""
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=30)
    connection.sendall(sent)
    return connection


def read_all(connection: socket.socket) -> bytes:
    """Read until the server closes."""
    found = b""
    while block := connection.recv(65536):
        found += block
    return found


def test_many_slow_clients_do_not_block_others(server: Server) -> None:
    """Given 200 silent clients, half headers, trickling bodies -> others are answered, each slow one gets 408."""
    beginnings = [b"", b"POST /invo", REQUEST[: -len(IMAGE)], CHUNKED[:-60]]
    with ExitStack() as stack:
        slow = [stack.enter_context(connect(server, beginnings[n % 4])) for n in range(SLOW_CLIENTS)]
        seconds = []
        for _ in range(5):
            started = time.monotonic()
            assert server.ping() == 200
            assert server.classify(IMAGE).status == 200
            seconds.append(time.monotonic() - started)
            for connection in slow[2::4]:
                connection.sendall(b"x")
        # If each of them had a thread, none would be free until the timeout of the body.
        assert max(seconds) < 1
        answers = [read_all(connection) for connection in slow]
    assert set(answers[::4]) == {b""}
    told = [answer for n, answer in enumerate(answers) if n % 4]
    assert all(answer.startswith(b"HTTP/1.1 408 ") for answer in told)
    assert {json.loads(answer.partition(b"\r\n\r\n")[2])["error"] for answer in told} == {"timeout"}


def test_pipelined_requests_and_garbage(server: Server) -> None:
    """Given a ping, two images and garbage, pipelined -> 200, 200, 200, 400 in this order, then closed."""
    with connect(server, PING + REQUEST + CHUNKED + b"\0\xff garbage\r\n") as connection:
        answer = read_all(connection)
    assert [part[:4] for part in answer.split(b"HTTP/1.1 ")[1:]] == [b"200 ", b"200 ", b"200 ", b"400 "]
    assert answer.count(b'"probabilities"') == 2
    assert b"<html" not in answer


def test_expect_continue_is_answered(server: Server) -> None:
    """Given `Expect: 100-continue`, as curl sends it with large images -> 100 immediately, then the response."""
    head = HEAD + b"Connection: close\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(IMAGE)
    with connect(server, head) as connection:
        assert connection.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(IMAGE)
        answer = read_all(connection)
    assert answer.startswith(b"HTTP/1.1 200 ")


def test_truncated_body_is_rejected(server: Server) -> None:
    """Given half an image and a half-closed connection -> 400 in JSON, without a thread."""
    with connect(server, REQUEST[:-30]) as connection:
        connection.shutdown(socket.SHUT_WR)
        answer = read_all(connection)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"incomplete_body" in answer


def test_disconnecting_clients_do_not_affect_the_server(server: Server) -> None:
    """Given fifty clients that disconnect during or after their request -> the next is served, no log line."""
    before = server.log().count("Errno")
    for length in (1, 40, len(REQUEST) - 1, len(REQUEST), len(REQUEST)) * 10:
        connect(server, REQUEST[:length]).close()
    wait_until(lambda: server.classify(IMAGE).status == 200, 10, "a place is free again")
    assert server.ping() == 200
    assert server.log().count("Errno") == before


def test_connection_is_kept_after_a_rejection(server: Server) -> None:
    """Given clients that share two slots and retry -> 200 or 503 with their id and attributes, connections kept."""
    heavy = json.dumps({"instances": [{"b64": _base64(large_image())}] * 4}).encode()
    connections = [http.client.HTTPConnection("127.0.0.1", server.port, timeout=30) for _ in range(6)]
    for number, connection in enumerate(connections):
        headers = {"X-Request-Id": f"client {number}", "X-Amzn-SageMaker-Custom-Attributes": f"trace={number}"}
        connection.request("POST", "/invocations", heavy, {"Content-Type": "application/json", **headers})
    statuses = []
    for number, connection in enumerate(connections):
        answer = connection.getresponse()
        assert answer.headers["X-Request-Id"] == f"client {number}"
        assert answer.headers["X-Amzn-SageMaker-Custom-Attributes"] == f"trace={number}"
        answer.read()
        statuses.append(answer.status)
        assert not answer.will_close
    assert statuses.count(200) >= 2
    assert set(statuses) == {200, 503}
    for connection in connections:
        connection.request("GET", "/ping")
        assert connection.getresponse().read() == b""
        connection.close()


def large_image() -> bytes:
    """Return an image of 12 megapixels in a small file."""
    return sample_images.encode(sample_images.plain().resize((4000, 3000)), "PNG")


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
