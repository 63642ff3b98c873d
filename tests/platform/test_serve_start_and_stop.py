"""Start, rejected starts, and graceful shutdown of a server."""

import base64
import http.client
import json
import os
import shutil
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.platform import sample_images
from tests.platform.serving import Server
from tests.support.waiting import wait_until

StartServer = Callable[..., Server]


@pytest.fixture
def tree(colour_models: Path, tmp_path: Path) -> Path:
    """A platform tree with a copy of the model without an IR, which TensorFlow serves."""
    shutil.copytree(colour_models / "both", tmp_path / "model")
    return tmp_path


@pytest.fixture
def quick_tree(colour_models: Path, tmp_path: Path) -> Path:
    """A platform tree with a copy of the model with an IR, which OpenVINO serves: it starts in a tenth of the time."""
    shutil.copytree(colour_models / "both+openvino", tmp_path / "model")
    return tmp_path


def test_invalid_settings_stop_the_start(start: StartServer, tree: Path) -> None:
    """Given two variables with invalid values -> exit code 1 and one line that names both."""
    server = start(tree, SERVE_MAX_IN_FLIGHT="many", SAGEMAKER_MODEL_SERVER_WORKERS="0")
    assert server.end(30) == 1
    assert len(server.log().splitlines()) == 1
    assert "SERVE_MAX_IN_FLIGHT" in server.log()
    assert "SAGEMAKER_MODEL_SERVER_WORKERS" in server.log()


def test_ping_returns_503_while_the_model_loads(start: StartServer, tree: Path) -> None:
    """Given a server that has just started -> /ping and /invocations return 503 first, then /ping returns 200."""
    server = start(tree)
    wait_until(lambda: server.ping() != 0, 30, "the server listens")
    early = server.ask("/ping")
    rejected = server.classify(sample_images.encode(sample_images.plain(), "PNG"))
    server.wait_until_ready()
    assert early.status == 503
    assert early.json["error"] == "loading"
    assert (rejected.status, rejected.headers["Retry-After"]) == (503, "1")


@pytest.mark.every
@pytest.mark.parametrize(("form", "answer"), [("called", "green"), ("binary", "green")])
def test_other_kinds_of_models_are_served(
    start: StartServer, colour_models: Path, tmp_path: Path, form: str, answer: str
) -> None:
    """Given a pre-trained classifier with the signature of Hub models, and a binary model -> the correct label."""
    shutil.copytree(colour_models / form, tmp_path / "model")
    # Models from elsewhere have none, which TensorFlow remarks on.
    (tmp_path / "model" / "1" / "fingerprint.pb").unlink()
    server = start(tmp_path)
    server.wait_until_ready()
    found = server.classify(sample_images.encode(sample_images.plain(), "PNG"), Accept="application/json;verbose").json
    assert found["predicted_label"] == answer
    assert len(found["probabilities"]) == (1 if form == "binary" else 3)
    remark, ready, *_ = server.log().splitlines()
    assert remark == (
        f"Using TensorFlow: {tmp_path / 'model'} has no OpenVINO IR. "
        f"Create one with scripts/convert-model {tmp_path / 'model'}."
    )
    assert ready.startswith("Ready on port ")


def test_model_folder_is_only_read(start: StartServer, quick_tree: Path) -> None:
    """Given a server that has answered -> the model folder is unchanged, and may be read-only."""
    before = sorted((str(path), path.stat().st_mtime_ns) for path in (quick_tree / "model").rglob("*"))
    for path in [quick_tree / "model", *(quick_tree / "model").rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    server = start(quick_tree)
    server.wait_until_ready()
    assert server.classify(sample_images.encode(sample_images.plain(), "PNG")).status == 200
    assert sorted((str(path), path.stat().st_mtime_ns) for path in (quick_tree / "model").rglob("*")) == before


def test_files_of_the_working_folder_are_not_imported(start: StartServer, quick_tree: Path) -> None:
    """Given a flask.py in the working folder -> it is not imported, and the server starts."""
    (quick_tree / "flask.py").write_text("raise SystemExit('imported')")
    server = start(quick_tree)
    server.wait_until_ready()
    assert "imported" not in server.log()


@dataclass
class SlowSender:
    """A client that sends the first bytes of an image, and the rest on request."""

    server: Server
    begun: threading.Event = field(default_factory=threading.Event)
    go: threading.Event = field(default_factory=threading.Event)
    statuses: list[int] = field(default_factory=list)
    thread: threading.Thread | None = None

    def start(self) -> "SlowSender":
        """Begin to send."""
        self.thread = threading.Thread(target=self._send)
        self.thread.start()
        return self

    def finish(self) -> int | None:
        """Send the rest; returns the status of the answer."""
        self.go.set()
        assert self.thread is not None
        self.thread.join(30)
        return self.statuses[0] if self.statuses else None

    def _send(self) -> None:
        image = sample_images.encode(sample_images.plain(), "PNG")

        def parts() -> Iterator[bytes]:
            yield image[:50]
            self.begun.set()
            self.go.wait(60)
            yield image[50:]

        headers = {"Content_Type": "image/png", "Content_Length": str(len(image))}
        self.statuses.append(self.server.ask("/invocations", parts(), method="POST", **headers).status)


@pytest.mark.every
def test_requests_beyond_the_slots_are_rejected_immediately(start: StartServer, quick_tree: Path) -> None:
    """Given one slot, held by a list of large images -> others get 503, /ping 200; then the slot is free."""
    server = start(quick_tree, SERVE_MAX_IN_FLIGHT="1")
    server.wait_until_ready()
    large = sample_images.encode(sample_images.plain().resize((4000, 3000)), "PNG")
    many = json.dumps({"instances": [{"b64": base64.b64encode(large).decode()}] * 4})
    image = sample_images.encode(sample_images.plain(), "PNG")

    def hold() -> int:
        # Repeated if one of the small images below held the slot.
        while (status := server.ask("/invocations", many, Content_Type="application/json").status) == 503:
            pass
        return status

    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(hold)
        wait_until(lambda: server.classify(image).status == 503, 20, "the place is taken")
        rejected = server.classify(image)
        ping = server.ping()
        assert not held.done()
        assert held.result() == 200
    assert (rejected.status, rejected.json["error"], rejected.headers["Retry-After"]) == (503, "busy", "1")
    assert ping == 200
    assert server.classify(image).status == 200


def test_slow_senders_hold_no_slot(start: StartServer, quick_tree: Path) -> None:
    """Given one slot and three incomplete requests -> another image is answered, and later theirs."""
    server = start(quick_tree, SERVE_MAX_IN_FLIGHT="1")
    server.wait_until_ready()
    senders = [SlowSender(server).start() for _ in range(3)]
    try:
        wait_until(lambda: all(sender.begun.is_set() for sender in senders), 20, "all have begun")
        status = server.classify(sample_images.encode(sample_images.plain(), "PNG")).status
    finally:
        statuses = [sender.finish() for sender in senders]
    assert status == 200
    assert statuses == [200, 200, 200]


def test_lingering_clients_do_not_block_others(start: StartServer, quick_tree: Path) -> None:
    """Given five rejected clients that do not close their half -> /ping is answered immediately."""
    server = start(quick_tree)
    server.wait_until_ready()
    stubborn = [socket.create_connection(("127.0.0.1", server.port), timeout=30) for _ in range(5)]
    try:
        for connection in stubborn:
            connection.sendall(b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999\r\n\r\n")
            assert connection.recv(12) == b"HTTP/1.1 413"
        started = time.monotonic()
        assert server.ping() == 200
        assert time.monotonic() - started < 1
    finally:
        for connection in stubborn:
            connection.close()


def test_sigterm_completes_started_requests(start: StartServer, quick_tree: Path) -> None:
    """Given SIGTERM while a request is being sent -> new connections fail, the request is answered, exit code 0."""
    server = start(quick_tree)
    server.wait_until_ready()
    sender = SlowSender(server).start()
    assert sender.begun.wait(20)
    # Connections are accepted in order: once a later one is answered, the sender's has been read.
    assert server.ping() == 200
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as idle:
        server.process.send_signal(signal.SIGTERM)
        try:
            wait_until(lambda: server.ping() == 0, 10, "new connections are rejected")
            # Started requests get a longer deadline than idle connections.
            assert idle.recv(1) == b""
            assert server.process.poll() is None
        finally:
            status = sender.finish()
    assert status == 200
    assert server.end(15) == 0


@pytest.mark.every
def test_sigterm_serves_the_backlog(start: StartServer, quick_tree: Path) -> None:
    """Given SIGTERM with more connections in the backlog than one accept round -> each is answered."""
    server = start(quick_tree)
    server.wait_until_ready()
    (worker,) = server.workers()
    os.kill(worker, signal.SIGSTOP)
    connections = [socket.create_connection(("127.0.0.1", server.port), timeout=30) for _ in range(200)]
    try:
        for connection in connections:
            connection.sendall(b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n")
        server.process.terminate()
        wait_until(lambda: signal.SIGTERM in pending_signals(worker), 10, "the stopped worker gets SIGTERM, too")
        os.kill(worker, signal.SIGCONT)
        assert {connection.recv(13) for connection in connections} == {b"HTTP/1.1 200 "}
    finally:
        for connection in connections:
            connection.close()
    assert server.end(15) == 0


def pending_signals(process: int) -> set[int]:
    """Return the pending signals of a process."""
    status = Path(f"/proc/{process}/status").read_text()
    mask = int(next(line for line in status.splitlines() if line.startswith("ShdPnd:")).split()[1], 16)
    return {number for number in range(1, 64) if mask & 1 << (number - 1)}


def test_idle_connections_do_not_delay_the_shutdown(start: StartServer, quick_tree: Path) -> None:
    """Given SIGTERM and an idle connection -> exit code 0 long before the platform's SIGKILL."""
    server = start(quick_tree)
    server.wait_until_ready()
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.request("GET", "/ping")
    assert connection.getresponse().read() == b""
    started = time.monotonic()
    server.process.terminate()
    assert server.end(25) == 0
    connection.close()
    assert time.monotonic() - started < 15


def test_sigterm_while_loading_stops_immediately(start: StartServer, tree: Path) -> None:
    """Given SIGTERM before the model is loaded -> exit code 0 without waiting for it, and no traceback."""
    server = start(tree)
    wait_until(lambda: server.ping() == 503, 30, "the server listens and loads")
    server.process.terminate()
    assert server.end(15) == 0
    assert "Traceback" not in server.log()
