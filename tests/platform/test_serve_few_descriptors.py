"""More clients than file descriptors."""

import os
import shutil
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.platform import sample_images
from tests.platform.serving import Server, start_server
from tests.support import tiny_models
from tests.support.waiting import wait_until

PING = b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n"
FILES = 90


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server with at most 90 open files."""
    tiny_models.write(tmp_path / "model", "tiny")
    shell = shutil.which("sh")
    assert shell is not None
    limited = tmp_path / "limited"
    limited.write_text(f'#!{shell}\nulimit -n {FILES}\nexec "{sys.executable}" "$@"\n')
    limited.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(limited))
    found = start_server(tmp_path)
    try:
        found.wait_until_ready()
        yield found
    finally:
        found.process.kill()
        found.end()


def cpu_seconds(process: int) -> float:
    """Return the CPU time of a process."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_idle_connections_are_evicted_for_new_ones(server: Server) -> None:
    """Given more idle connections than descriptors -> a new client is answered, one warning, no busy loop."""
    (worker,) = server.workers()
    with ExitStack() as stack:
        kept = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=10))
        idle = []
        for _ in range(2 * FILES):
            idle.append(stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=10)))
            if len(idle) % 10 == 0:
                kept.sendall(PING)
                assert kept.recv(12) == b"HTTP/1.1 200"
                kept.recv(65536)
        began = time.monotonic()
        assert server.ping() == 200
        assert server.classify(sample_images.encode(sample_images.plain(), "PNG")).status == 200
        assert time.monotonic() - began < 5
        before = cpu_seconds(worker)
        time.sleep(1)
        assert cpu_seconds(worker) - before < 0.5
    assert server.workers() == [worker]
    assert server.log().count("Cannot accept a connection") <= 1


@pytest.mark.every
def test_slow_requests_are_evicted_for_new_ones(server: Server) -> None:
    """Given more half requests than descriptors -> new clients are served soon, slow ones get 503, no busy loop."""
    (worker,) = server.workers()
    with ExitStack() as stack:
        begun = []
        for _ in range(2 * FILES):
            begun.append(stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=10)))
            begun[-1].sendall(b"POST /invocations HTTP/1.1\r\n")
        time.sleep(0.5)
        before = cpu_seconds(worker)
        time.sleep(1)
        assert cpu_seconds(worker) - before < 0.5
        wait_until(lambda: server.ping() == 200, 8, "others are served, long before the ten seconds of a header")
        assert begun[0].recv(12) == b"HTTP/1.1 503"
    assert server.workers() == [worker]
