"""Disproportionately expensive requests: other clients are answered, and work stops with its client."""

import base64
import io
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.platform import sample_images
from tests.platform.serving import Server, running, start_server
from tests.support.waiting import wait_until

LIST = "application/json"


@pytest.fixture(scope="module")
def server(colour_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of the small classifier with little memory for decoding."""
    tree = tmp_path_factory.mktemp("costly")
    (tree / "model").symlink_to(colour_models / "both+openvino")
    with running(start_server(tree, SERVE_DECODE_MEMORY_MB="128")) as started:
        yield started


def webp(side: int) -> bytes:
    """Return a WebP of one colour in some 40 bytes."""
    file = io.BytesIO()
    Image.new("RGB", (side, side), (1, 2, 3)).save(file, "WEBP", lossless=True, quality=0, method=0)
    return file.getvalue()


def cpu_seconds(server: Server) -> float:
    """Return the CPU time of the first worker so far."""
    fields = Path(f"/proc/{server.workers()[0]}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def test_parallel_bombs_do_not_affect_others(server: Server) -> None:
    """Given six clients with WebPs of 40 bytes and 89 megapixels, alone and 512 times -> 413 each; others get 200."""
    bomb = sample_images.webp_of_one_colour()
    bodies = [(bomb, "application/x-image"), (sample_images.listed([bomb] * 512), LIST)] * 3
    photograph = sample_images.encode(sample_images.plain(), "JPEG")
    before, found, slowest = server.resident_megabytes(), [], 0.0
    threads = [
        threading.Thread(
            target=lambda body=body, kind=kind: found.append(server.ask("/invocations", body, Content_Type=kind))
        )
        for body, kind in bodies
    ]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        began = time.monotonic()
        assert server.ping() == 200
        assert server.classify(photograph).status == 200
        slowest = max(slowest, time.monotonic() - began)
    assert [answer.status for answer in found] == [413] * 6
    assert slowest < 5
    assert server.resident_megabytes() - before < 100


@pytest.mark.every
def test_heavy_lists_do_not_block_others(server: Server) -> None:
    """Given two lists of 20 WebPs of 7 megapixels that exhaust the decoding memory -> other clients are answered."""
    body = sample_images.listed([webp(2_700)] * 20)
    photograph = sample_images.encode(sample_images.plain(), "JPEG")
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(server.ask("/invocations", body, Content_Type=LIST)))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    answered = 0
    while any(thread.is_alive() for thread in threads):
        began = time.monotonic()
        assert server.classify(photograph).status == 200
        assert time.monotonic() - began < 5
        answered += 1
    assert [answer.status for answer in found] == [200, 200]
    assert answered >= 3


@pytest.mark.parametrize("lines", [False, pytest.param(True, marks=pytest.mark.every)])
def test_work_stops_soon_after_a_disconnect(server: Server, lines: bool) -> None:
    """Given a list, and lines, of 40 WebPs whose client disconnects immediately -> a fraction of their CPU is used."""
    image = webp(2_700)
    line = json.dumps({"b64": base64.b64encode(image).decode()}).encode() + b"\n"
    body, kind = (line * 40, "application/jsonlines") if lines else (sample_images.listed([image] * 40), LIST)
    before = cpu_seconds(server)
    assert server.classify(image).status == 200
    one = cpu_seconds(server) - before
    before = cpu_seconds(server)
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        head = f"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
        client.sendall(head.encode() + body)
        time.sleep(0.1)
    idle = [cpu_seconds(server)]

    def is_idle() -> bool:
        idle.append(cpu_seconds(server))
        return len(idle) > 20 and idle[-1] - idle[-20] < 0.05

    wait_until(is_idle, 60, "the server is idle", pause=0.03)
    assert idle[-1] - before < max(20 * one, 0.5)


@pytest.mark.every
def test_request_beyond_its_deadline_is_503(colour_models: Path, tmp_path: Path, start: Callable[..., Server]) -> None:
    """Given a list that needs more than its deadline of one second -> 503 with Retry-After soon afterwards."""
    (tmp_path / "model").symlink_to(colour_models / "both")
    server = start(tmp_path, SERVE_WORK_SECONDS="1")
    server.wait_until_ready()
    began = time.monotonic()
    answer = server.ask("/invocations", sample_images.listed([webp(3_000)] * 100), Content_Type=LIST)
    assert (answer.status, answer.json["error"], answer.headers["Retry-After"]) == (503, "deadline_exceeded", "1")
    assert time.monotonic() - began < 10
