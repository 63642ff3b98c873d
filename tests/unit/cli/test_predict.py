"""Requests to a server: the lines for responses and for failures."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from image_classifier.cli import predict
from image_classifier.cli.predictions import asking, outcomes
from image_classifier.cli.predictions.answers import Answer
from image_classifier.cli.predictions.image_files import ImageFile
from image_classifier.contract.errors import PlatformError, UserError
from tests.support.web_servers import in_a_thread


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"probabilities": [0.1, 0.7, 0.2], "labels": ["a", "b", "c"]}, "b 70.0 %   c 20.0 %   a 10.0 %"),
        ({"probabilities": [0.9, 0.1]}, "class 0 90.0 %   class 1 10.0 %"),
        ({"probabilities": [0.75], "labels": ["cat", "dog"]}, "dog 75.0 %   cat 25.0 %"),
        ({"probabilities": [0.4, 0.3, 0.2, 0.1]}, "class 0 40.0 %   class 1 30.0 %   class 2 20.0 %"),
        ({"probabilities": [0.3]}, "class 0 70.0 %   class 1 30.0 %"),
        ({"probabilities": [], "labels": []}, ""),
        ({"probabilities": [0.5, 0.5], "labels": ["a", "b"]}, "a 50.0 %   b 50.0 %"),
        ({"probabilities": [0.5], "labels": ["cat", "dog"]}, "dog 50.0 %   cat 50.0 %"),
    ],
)
def test_summary_names_the_most_probable(answer: dict[str, Any], expected: str) -> None:
    """Given answers with names, without, binary, of many classes, empty, ties -> at most three, the probable first."""
    assert Answer.of(ImageFile(Path("a.jpg")), answer).summary == expected


class Strange(BaseHTTPRequestHandler):
    """A foreign server: answers as its path demands."""

    def do_POST(self) -> None:
        """Answer any POST."""
        self.rfile.read(int(self.headers["Content-Length"]))
        status, body = {"/list": (200, b"[1]"), "/html": (200, b"<html>"), "/teapot": (418, b"<html>")}[self.path]
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *words: object) -> None:
        """Log nothing."""


@pytest.fixture
def strange_server() -> Iterator[str]:
    """The address of a foreign server."""
    server = HTTPServer(("127.0.0.1", 0), Strange)
    with in_a_thread(server):
        yield f"http://127.0.0.1:{server.server_port}"


@pytest.mark.parametrize(
    ("path", "kind", "message"),
    [
        ("/list", PlatformError, "answers a list, not an object"),
        ("/html", PlatformError, "No server answers as expected"),
        ("/teapot", UserError, "rejected with 418 I'm a Teapot"),
    ],
)
def test_strange_answers_are_said(
    strange_server: str, tmp_path: Path, path: str, kind: type[Exception], message: str
) -> None:
    """Given a list, HTML, or an error in HTML as the answer -> one sentence, no traceback."""
    (tmp_path / "a.jpg").write_bytes(b"image")
    with pytest.raises(kind, match=message):
        asking.ask(tmp_path / "a.jpg", strange_server + path, "*/*")


def test_addresses_that_are_none_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Given a URL without a scheme or host -> one sentence with an address; without a path -> that of /invocations."""
    (tmp_path / "a.jpg").write_bytes(b"image")
    for address in ("localhost", "127.0.0.1:8080", "ftp://localhost/", "http:///invocations"):
        with pytest.raises(SystemExit):
            predict.main([str(tmp_path / "a.jpg"), "--url", address])
        assert f"--url: is {address!r}; give an address such as {predict.URL}" in capsys.readouterr().err
    assert predict.main([str(tmp_path / "a.jpg"), "--url", "http://127.0.0.1:1/"]) == outcomes.OF_THE_SERVER
    assert "No server answers as expected at http://127.0.0.1:1/invocations: " in capsys.readouterr().err


class BusyServer(BaseHTTPRequestHandler):
    """A server that has to be asked again."""

    waits: ClassVar[list[str]] = []
    """What the next answers of 503 have as Retry-After."""

    def do_POST(self) -> None:
        """Answer with 503 as long as there are waits, then with an object."""
        self.rfile.read(int(self.headers["Content-Length"]))
        wait = self.waits.pop(0) if self.waits else None
        body = b'{"message": "The model is still being loaded."}' if wait is not None else b"{}"
        self.send_response(200 if wait is None else 503)
        if wait:
            self.send_header("Retry-After", wait)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *words: object) -> None:
        """Log nothing."""


def test_server_that_is_loading_is_asked_again(tmp_path: Path) -> None:
    """Given 503 with Retry-After, twice -> the answer of the third request; a longer wait or none -> PlatformError."""
    (tmp_path / "a.jpg").write_bytes(b"image")
    server = HTTPServer(("127.0.0.1", 0), BusyServer)
    with in_a_thread(server):
        url = f"http://127.0.0.1:{server.server_port}/invocations"
        BusyServer.waits[:] = ["0", "0"]
        assert asking.ask(tmp_path / "a.jpg", url, "*/*") == {}
        for wait in ("3600", ""):
            BusyServer.waits[:] = [wait]
            with pytest.raises(PlatformError, match="rejected with 503: The model is still being loaded"):
                asking.ask(tmp_path / "a.jpg", url, "*/*")


def test_environment_proxies_are_not_for_this_machine(
    strange_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a proxy in the environment that does not exist -> the local server is reached without it."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    (tmp_path / "a.jpg").write_bytes(b"image")
    with pytest.raises(PlatformError, match="answers a list"):
        asking.ask(tmp_path / "a.jpg", strange_server + "/list", "*/*")


def test_names_cannot_control_the_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Names with an escape sequence, a line feed, bytes that are not UTF-8; an error about one -> escaped, one line."""
    names = ["\x1b[31mred.jpg", "a\nb.jpg", "caf\udce9.jpg"]
    for name in names:
        (tmp_path / name).touch()
    answer = {"probabilities": [0.9, 0.1], "labels": ["\x1bcat", "dog"]}
    monkeypatch.setattr(asking, "ask", lambda *_: answer)
    assert predict.main([str(tmp_path / name) for name in names]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("/")[-1].split()[0] for line in lines] == ["\\x1b[31mred.jpg", "a\\x0ab.jpg", "caf\\xe9.jpg"]
    assert all("\\x1bcat 90.0 %" in line for line in lines)
    monkeypatch.undo()
    assert predict.main([str(tmp_path / "\x1b[31m.jpg"), "--url", "http://127.0.0.1:1"]) == 1
    assert "/\\x1b[31m.jpg cannot be read" in capsys.readouterr().err
