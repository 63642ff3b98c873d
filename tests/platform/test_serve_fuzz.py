import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.benchmarks.fuzz import servers
from tests.benchmarks.fuzz.campaign import Campaign, Result, run
from tests.benchmarks.watched_server import Watched


def test_broken_pictures_documents_and_requests_break_nothing(tmp_path: Path) -> None:
    """Given 1,000 broken pictures, documents and raw requests, mixed -> no 5xx, no death, flat memory, good answers."""
    with servers.of_one_model(tmp_path) as server:
        result = run(server, Campaign(mutants=500, raw=120, documents=60, seed=7))
    assert result.faults == []
    assert result.findings.good > 50
    assert answered(result, "200") > 200
    assert answered(result, "400") > 500


def test_they_do_not_break_a_server_of_many_models_either(tmp_path: Path) -> None:
    """Given the same for a server that holds many models -> the same."""
    with servers.of_many_models(tmp_path) as server:
        result = run(server, Campaign(mutants=100, raw=120, documents=60, seed=8))
    assert result.faults == []
    assert result.findings.good > 20


def answered(result: Result, status: str) -> int:
    """Count the answers of a status."""
    return sum(number for (_, found), number in result.findings.outcomes.items() if found == status)


class Failing(BaseHTTPRequestHandler):
    """Answers the first good picture, and everything after it with 500."""

    protocol_version = "HTTP/1.1"
    answered = threading.Event()

    def do_POST(self) -> None:
        """Answer."""
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status = 500 if self.answered.is_set() else 200
        self.answered.set()
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def failing() -> Iterator[Watched]:
    """A server that fails, has another process after each look, and takes 20 MB more each time."""
    listener = ThreadingHTTPServer(("127.0.0.1", 0), Failing)
    thread = threading.Thread(target=listener.serve_forever)
    thread.start()
    numbers, megabytes = iter(range(10)), iter(range(0, 1_000, 20))
    yield Watched(listener.server_port, lambda: [next(numbers)], lambda: next(megabytes), lambda: "Traceback")
    listener.shutdown()
    listener.server_close()
    thread.join()


def test_the_attack_sees_what_breaks(failing: Watched) -> None:
    """Given a server that answers 500, dies, grows and logs a trace -> each of these is found."""
    found = run(failing, Campaign(mutants=60, raw=0, documents=5, seed=7)).faults
    assert sum(": 500" in text for text in found) >= 100
    for words in ("a good picture in between", "a trace in the log", "1 processes died", "grew by 20.0 MB"):
        assert any(words in text for text in found), words
