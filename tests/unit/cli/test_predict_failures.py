"""scripts/predict before a server that fails: whose fault it is, in the sentence and in the exit code."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from image_classifier.cli import predict
from image_classifier.cli.predictions import asking, outcomes
from image_classifier.contract.errors import AlgorithmError, PlatformError, UserError
from tests.support.web_servers import in_a_thread

ANSWER = b'{"probabilities": [0.9, 0.1], "labels": ["cat", "dog"], "predicted_label": "cat"}'
REPLIES: dict[bytes, tuple[int, bytes, str]] = {
    b"cat": (200, ANSWER, ""),
    b"bad": (400, b'{"message": "The body is not an image."}', ""),
    b"bug": (500, b'{"message": "The request failed inside the server; its log has the details."}', ""),
    b"gateway": (502, b"<html>", ""),
    b"memory": (503, b'{"message": "Not enough memory."}', ""),
    b"busy": (503, b'{"message": "The server is at its limit."}', "3600"),
    b"html": (200, b"<html>", ""),
    b"list": (200, b"[1]", ""),
    b"empty": (200, b"{}", ""),
    b"text": (200, b'{"probabilities": "0.9"}', ""),
    b"nan": (200, b'{"probabilities": [NaN, 1]}', ""),
    b"huge": (200, b'{"probabilities": [1%s]}' % (b"0" * 400), ""),
    b"more labels": (200, b'{"probabilities": [0.9, 0.1], "labels": ["a", "b", "c"]}', ""),
}
"""Status, body and Retry-After by the content of the image."""


class Server(BaseHTTPRequestHandler):
    """Answers as the image says; cuts its connection, or its answer, for those that are not in `REPLIES`."""

    asked: ClassVar[list[bytes]] = []

    def do_POST(self) -> None:
        """Answer any POST."""
        image = self.rfile.read(int(self.headers["Content-Length"]))
        self.asked.append(image)
        if image == b"cut":
            return
        if image == b"no http":
            self.wfile.write(b"SSH-2.0-server\r\n")
            return
        status, body, wait = REPLIES.get(image, REPLIES[b"cat"])
        self.send_response(status)
        if wait:
            self.send_header("Retry-After", wait)
        self.send_header("Content-Length", str(len(body) + (image == b"half")))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *words: object) -> None:
        """Log nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    """The address of the server."""
    Server.asked.clear()
    server = HTTPServer(("127.0.0.1", 0), Server)
    with in_a_thread(server):
        yield f"http://127.0.0.1:{server.server_port}/invocations"


def images(folder: Path, *contents: bytes) -> list[str]:
    """Write images of some contents, in the order of their names, and return their paths."""
    paths = [folder / f"{number:02}.jpg" for number in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    return [str(path) for path in paths]


@pytest.mark.parametrize(
    ("image", "owner", "sentence"),
    [
        (b"bad", "UserError", "rejected with 400: The body is not an image."),
        (b"bug", "AlgorithmError", "the server failed with 500: The request failed inside the server; its log has the"),
        (b"gateway", "PlatformError", "the server failed with 502 Bad Gateway. The request is not at fault"),
        (b"memory", "PlatformError", "rejected with 503: Not enough memory. The log of the server at "),
        (b"busy", "PlatformError", "rejected with 503: The server is at its limit. The server at "),
        (b"cut", "PlatformError", "ended the connection before its answer was complete (Remote end closed"),
        (b"half", "PlatformError", "ended the connection before its answer was complete (IncompleteRead"),
        (b"no http", "PlatformError", "No server answers as expected at "),
        (b"html", "PlatformError", "No server answers as expected at "),
        (b"list", "PlatformError", "answers a list, not an object. Give the address of /invocations."),
        (b"empty", "PlatformError", "the answer has nothing; expected a list of probabilities"),
        (b"text", "PlatformError", "the answer has probabilities; expected a list of probabilities"),
        (b"nan", "PlatformError", "the answer has probabilities; expected a list of probabilities"),
        (b"huge", "PlatformError", "the answer has probabilities; expected a list of probabilities"),
        (b"more labels", "PlatformError", "the answer has labels, probabilities; expected a list of probabilities"),
    ],
)
def test_owner_of_a_failure_is_said(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], image: bytes, owner: str, sentence: str
) -> None:
    """Given one image and each kind of failure -> one line that names the owner, and its exit code."""
    code = predict.main([*images(tmp_path, image), "--url", url])
    assert code == (outcomes.OF_THE_USER if owner == "UserError" else outcomes.OF_THE_SERVER)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{owner}: ")
    assert sentence in line
    assert line.endswith(".")


def test_image_that_breaks_the_server_does_not_stop_the_others(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given an image on which a worker crashes, and one rejected -> the others' answers, and the server's exit code."""
    given = images(tmp_path, b"cat", b"cut", b"bad", b"cat")
    assert predict.main([*given, "--url", url]) == outcomes.OF_THE_SERVER
    said = capsys.readouterr()
    assert [line.split()[0] for line in said.out.splitlines()] == [given[0], given[3]]
    assert [line.split(": ")[0] for line in said.err.splitlines()] == ["PlatformError", "UserError"]


def test_answers_before_a_failing_server_are_kept_and_resumed(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that fails from the third image on -> two rows, three further requests; --resume asks for the rest."""
    given = images(tmp_path, b"cat", b"a cat", *[b"another %d" % number for number in range(6)])
    words = [*given, "--url", url, "--csv", str(tmp_path / "answers.csv")]
    for number in range(6):
        monkeypatch.setitem(REPLIES, b"another %d" % number, REPLIES[b"bug"])
    assert predict.main(words) == outcomes.OF_THE_SERVER
    assert len(Server.asked) == 2 + outcomes.MOST_FAILURES
    last = capsys.readouterr().err.splitlines()[-1]
    assert "It is the same for 3 images in a row, so no more are sent." in last
    assert f"{tmp_path}/answers.csv.partial has the answers for 2 of 8 images. The same command with --resume" in last
    monkeypatch.undo()
    assert predict.main(words) == outcomes.OF_THE_USER
    assert "Add --resume" in capsys.readouterr().err
    Server.asked.clear()
    assert predict.main([*words, "--resume"]) == 0
    assert len(Server.asked) == 6
    assert len((tmp_path / "answers.csv").read_text().splitlines()) == 9


def test_image_for_which_the_server_failed_can_be_asked_about_again(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given one failure among answers -> the rows stay in the partial file, which --resume completes."""
    given = images(tmp_path, b"cat", b"cut", b"cat")
    words = [*given, "--url", url, "--csv", str(tmp_path / "answers.csv")]
    assert predict.main(words) == outcomes.OF_THE_SERVER
    assert "answers.csv.partial has the answers for 2 of 3 images." in capsys.readouterr().err.splitlines()[-1]
    Path(given[1]).write_bytes(b"cat")
    assert predict.main([*words, "--resume"]) == 0
    assert len((tmp_path / "answers.csv").read_text().splitlines()) == 4


def test_server_that_is_not_there_is_asked_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Given two images and an address where nothing listens -> one line, and the exit code of the server."""
    given = images(tmp_path, b"cat", b"cat")
    assert predict.main([*given, "--url", "http://127.0.0.1:1"]) == outcomes.OF_THE_SERVER
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("PlatformError: No server answers as expected at http://127.0.0.1:1/invocations: ")


@pytest.mark.parametrize("address", ["http://127.0.0.1:abc/", "http://127.0.0.1:99999", "http://a b/", "http://[::1"])
def test_addresses_that_cannot_be_asked_are_mistakes_of_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], address: str
) -> None:
    """Given an impossible port or host -> exit code 2 and the form of an address, before an image is read."""
    with pytest.raises(SystemExit) as ended:
        predict.main([*images(tmp_path, b"cat"), "--url", address])
    assert ended.value.code == 2
    assert f"--url: is {address!r}; give an address such as {predict.URL}" in capsys.readouterr().err


def test_only_a_failure_of_one_image_lets_the_next_one_try(url: str, tmp_path: Path) -> None:
    """Given each kind of failure -> those of the whole server, and those of an image."""
    found = {}
    for (path,) in (images(tmp_path, content) for content in (b"bad", b"bug", b"memory", b"cut", b"half", b"busy")):
        content = Path(path).read_bytes()
        with pytest.raises((UserError, AlgorithmError, PlatformError)) as failed:
            asking.ask(Path(path), url, "*/*")
        found[content] = asking.concerns_one_image(failed.value)
    assert [name for name, is_of_one in found.items() if not is_of_one] == [b"busy"]
