"""How a server begins, how it refuses to, and how it ends."""

import http.client
import json
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.platform import pictures
from tests.platform.serving import ROOT, Server, start_server
from tests.waiting import wait_until

Start = Callable[..., Server]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The classifier of colours in several forms; made in a process of its own, so that this one has no TensorFlow."""
    folder = tmp_path_factory.mktemp("models")
    words = [word for form in ("both", "called", "binary") for word in (form, str(folder / form))]
    path = {"PYTHONPATH": f"{ROOT / 'container'}:{ROOT}"}
    command = [sys.executable, "-m", "tests.unit.inference.colours", *words]
    subprocess.run(command, check=True, env=path, capture_output=True)
    return folder


@pytest.fixture
def tree(models: Path, tmp_path: Path) -> Path:
    """A platform tree with a copy of the model."""
    shutil.copytree(models / "both", tmp_path / "model")
    return tmp_path


@pytest.fixture
def start() -> Iterator[Start]:
    """Start servers that are gone after the test."""
    started: list[Server] = []

    def run(tree: Path, **variables: str) -> Server:
        started.append(start_server(tree, **variables))
        return started[-1]

    yield run
    for server in started:
        server.process.kill()
        server.end()


def edit_labels(tree: Path, labels: list[str]) -> None:
    """Write another label map."""
    (tree / "model" / "labels_info.json").write_text(json.dumps({"labels": labels}))


def duplicate(tree: Path) -> None:
    """Leave two SavedModels, neither under 1/."""
    (tree / "model" / "1").rename(tree / "model" / "2")
    shutil.copytree(tree / "model" / "2", tree / "model" / "3")


def truncate(tree: Path, name: str) -> None:
    """Cut a file of the SavedModel to a third."""
    path = tree / "model" / "1" / name
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])


def empty(tree: Path) -> None:
    """Leave an empty model folder."""
    shutil.rmtree(tree / "model")
    (tree / "model").mkdir()


def rename_operation(tree: Path) -> None:
    """Make the graph ask for an operation that this TensorFlow does not have, as one of a later release would."""
    path = tree / "model" / "1" / "saved_model.pb"
    path.write_bytes(path.read_bytes().replace(b"Softmax", b"Sofwhat"))


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda tree: shutil.rmtree(tree / "model"), "There is no model folder at"),
    "empty": (empty, "holds no SavedModel"),
    "no SavedModel": (lambda tree: shutil.rmtree(tree / "model" / "1"), "holds no SavedModel"),
    "several": (duplicate, "holds several SavedModels"),
    "truncated graph": (lambda tree: truncate(tree, "saved_model.pb"), "cannot be"),
    "truncated weights": (lambda tree: truncate(tree, "variables/variables.data-00000-of-00001"), "cannot be loaded"),
    "truncated index": (lambda tree: truncate(tree, "variables/variables.index"), "cannot be loaded"),
    "no weights": (lambda tree: shutil.rmtree(tree / "model" / "1" / "variables"), "cannot be loaded"),
    "another TensorFlow": (rename_operation, "needs operations that TensorFlow 2."),
    "short label map": (lambda tree: edit_labels(tree, ["a", "b"]), "names 2 classes, but the model answers 3"),
    "long label map": (lambda tree: edit_labels(tree, list("abcd")), "names 4 classes, but the model answers 3"),
    "broken label map": (lambda tree: (tree / "model/labels_info.json").write_text("{"), "is not valid JSON"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_model_ends_the_server_with_one_line(start: Start, tree: Path, name: str) -> None:
    """Each way in which a model folder can be broken -> another exit code than 0, one plain line, within seconds."""
    damage, message = BROKEN[name]
    damage(tree)
    server = start(tree)
    assert server.end(60) != 0
    lines = server.log().splitlines()
    assert len(lines) == 1, server.log()
    assert lines[0].startswith("UserError: ")
    assert message in lines[0]
    assert str(tree / "model") in lines[0]


def test_model_that_answers_nan_is_not_served(start: Start, tree: Path) -> None:
    """Weights that are NaN -> the server ends with the reason instead of answering."""
    script = (
        "import sys; from pathlib import Path; from tests.unit.inference import colours; "
        "colours.save(Path(sys.argv[1]), sharpness=float('nan'))"
    )
    shutil.rmtree(tree / "model")
    path = {"PYTHONPATH": f"{ROOT / 'container'}:{ROOT}"}
    command = [sys.executable, "-c", script, str(tree / "model")]
    subprocess.run(command, check=True, env=path, capture_output=True)
    server = start(tree)
    assert server.end(60) != 0
    assert server.log().splitlines() == [
        "UserError: The model answers with numbers that are not finite (NaN or infinity). "
        "Its weights are damaged or its training diverged; train it again."
    ]


def test_wrong_settings_are_told_before_anything_starts(start: Start, tree: Path) -> None:
    """Two variables with values that are not allowed -> exit code 1 and one line that names both."""
    server = start(tree, SERVE_MAX_IN_FLIGHT="many", SAGEMAKER_MODEL_SERVER_WORKERS="0")
    assert server.end(30) == 1
    assert len(server.log().splitlines()) == 1
    assert "SERVE_MAX_IN_FLIGHT" in server.log()
    assert "SAGEMAKER_MODEL_SERVER_WORKERS" in server.log()


def test_ping_says_not_yet_while_the_model_loads(start: Start, tree: Path) -> None:
    """A server that has just begun -> /ping and /invocations say 503 first, then /ping says 200."""
    server = start(tree)
    wait_until(lambda: server.ping() != 0, 30, "the server listens")
    early = server.ask("/ping")
    refused = server.classify(pictures.encode(pictures.plain(), "PNG"))
    server.wait_until_ready()
    assert early.status == 503
    assert early.json["error"] == "loading"
    assert (refused.status, refused.headers["Retry-After"]) == (503, "1")


@pytest.mark.parametrize(("form", "answer"), [("called", "green"), ("binary", "green")])
def test_other_forms_of_models_are_served(start: Start, models: Path, tmp_path: Path, form: str, answer: str) -> None:
    """An untuned classifier as Hub models are called, and a binary model -> the right label."""
    shutil.copytree(models / form, tmp_path / "model")
    # Models from elsewhere have none, which TensorFlow remarks on.
    (tmp_path / "model" / "1" / "fingerprint.pb").unlink()
    server = start(tmp_path)
    server.wait_until_ready()
    found = server.classify(pictures.encode(pictures.plain(), "PNG"), Accept="application/json;verbose").json
    assert found["predicted_label"] == answer
    assert len(found["probabilities"]) == (1 if form == "binary" else 3)
    assert len(server.log().splitlines()) == 1, server.log()


def test_model_folder_is_only_read(start: Start, tree: Path) -> None:
    """A server that has answered -> the model folder is as it was, and a read-only one is enough."""
    before = sorted((str(path), path.stat().st_mtime_ns) for path in (tree / "model").rglob("*"))
    for path in [tree / "model", *(tree / "model").rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    server = start(tree)
    server.wait_until_ready()
    assert server.classify(pictures.encode(pictures.plain(), "PNG")).status == 200
    assert sorted((str(path), path.stat().st_mtime_ns) for path in (tree / "model").rglob("*")) == before


def test_files_of_the_working_folder_are_not_imported(start: Start, tree: Path) -> None:
    """A flask.py in the folder where serve is started -> it is not ours, and the server starts."""
    (tree / "flask.py").write_text("raise SystemExit('imported')")
    server = start(tree)
    server.wait_until_ready()
    assert "imported" not in server.log()


@dataclass
class SlowSender:
    """A client that sends the first bytes of a picture, and the rest when it is told to."""

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
        picture = pictures.encode(pictures.plain(), "PNG")

        def parts() -> Iterator[bytes]:
            yield picture[:50]
            self.begun.set()
            self.go.wait(60)
            yield picture[50:]

        headers = {"Content_Type": "image/png", "Content_Length": str(len(picture))}
        self.statuses.append(self.server.ask("/invocations", parts(), method="POST", **headers).status)


def test_more_requests_than_places_are_refused_at_once(start: Start, tree: Path) -> None:
    """One place, three senders that do not come to an end -> one holds it, others get 503; then it is free."""
    server = start(tree, SERVE_MAX_IN_FLIGHT="1")
    server.wait_until_ready()
    senders = [SlowSender(server).start() for _ in range(3)]
    picture = pictures.encode(pictures.plain(), "PNG")
    try:
        # Once the server has seen all three, one of them has the place.
        wait_until(lambda: all(sender.begun.is_set() for sender in senders), 20, "all have begun")
        wait_until(lambda: server.classify(picture).status == 503, 20, "the place is taken")
        refused = server.classify(picture)
        assert (refused.json["error"], refused.headers["Retry-After"]) == ("busy", "1")
        assert refused.headers["Connection"] == "close"
        assert server.ping() == 200
    finally:
        statuses = [sender.finish() for sender in senders]
    assert statuses.count(200) == 1
    assert server.classify(picture).status == 200


def test_refused_clients_that_stay_hold_nobody_up(start: Start, tree: Path) -> None:
    """Five clients that are refused and do not close their side -> /ping is answered at once meanwhile."""
    server = start(tree)
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


def test_sigterm_finishes_what_was_begun(start: Start, tree: Path) -> None:
    """SIGTERM while a request is being sent -> new connections are refused, the request is answered, exit code 0."""
    server = start(tree)
    server.wait_until_ready()
    sender = SlowSender(server).start()
    assert sender.begun.wait(20)
    # Connections are accepted in order: once a later one is answered, the sender's is in work.
    assert server.ping() == 200
    server.process.send_signal(signal.SIGTERM)
    try:
        wait_until(lambda: server.ping() == 0, 10, "new connections are refused")
        assert server.process.poll() is None
    finally:
        status = sender.finish()
    assert status == 200
    assert server.end(15) == 0


def test_idle_connections_do_not_hold_up_the_end(start: Start, tree: Path) -> None:
    """SIGTERM while a client keeps an idle connection -> exit code 0 long before the platform's SIGKILL."""
    server = start(tree)
    server.wait_until_ready()
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.request("GET", "/ping")
    assert connection.getresponse().read() == b""
    started = time.monotonic()
    server.process.terminate()
    assert server.end(25) == 0
    connection.close()
    assert time.monotonic() - started < 15


def test_sigterm_while_loading_ends_at_once(start: Start, tree: Path) -> None:
    """SIGTERM before the model is there -> exit code 0 without waiting for it, and no trace."""
    server = start(tree)
    wait_until(lambda: server.ping() == 503, 30, "the server listens and loads")
    server.process.terminate()
    assert server.end(15) == 0
    assert "Traceback" not in server.log()
