import contextlib
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random

import pytest

from tests.benchmarks.fuzz import bounds, extremes, servers, slow_clients
from tests.benchmarks.fuzz.bounds import Size
from tests.benchmarks.fuzz.campaign import Campaign, Result, run
from tests.benchmarks.fuzz.client import Client, Findings
from tests.benchmarks.fuzz.cost import Meter, StillBusyError
from tests.benchmarks.fuzz.extremes.extreme import Extreme
from tests.benchmarks.fuzz.oracle import Oracle
from tests.benchmarks.fuzz.slow_clients import Siege, besiege
from tests.benchmarks.watched_server import Watched
from tests.support.waiting import free_port, wait_until
from tests.support.web_servers import in_a_thread

BOUNDS = bounds.of(servers.MAX_PIXELS)


@pytest.mark.parametrize("tenths", [2, pytest.param(10, marks=pytest.mark.every)], ids=["180 inputs", "900 inputs"])
def test_broken_images_documents_and_requests_break_nothing(
    tmp_path: Path, tenths: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given hostile inputs, alone and mixed -> bounded cost, no 5xx, no exit, flat memory, good answers."""
    campaign = Campaign(mutants=20 * tenths, raw=6 * tenths, documents=4 * tenths, extremes=9 * tenths, seed=7)
    monkeypatch.setattr(slow_clients, "SERVER_SECONDS", 2)
    with servers.of_one_model(tmp_path, slow_clients.SERVER_SECONDS) as server:
        result = run(server, campaign, BOUNDS)
        siege = besiege(server, clients=45)
    assert [*result.faults, *siege.faults] == []
    assert result.inputs == 90 * tenths
    assert result.findings.good > 5 * tenths
    assert answered(result, "200") > 30 * tenths
    assert answered(result, "400") > 50 * tenths


@pytest.mark.every
def test_they_do_not_break_a_server_of_many_models_either(tmp_path: Path) -> None:
    """Given the same for a server that holds many models -> the same."""
    with servers.of_many_models(tmp_path) as server:
        result = run(server, Campaign(mutants=50, raw=60, documents=30, extremes=7, seed=8), BOUNDS)
    assert result.faults == []
    assert result.findings.good > 20


def answered(result: Result, status: str) -> int:
    """Count the answers of a status."""
    return sum(number for (_, found), number in result.findings.outcomes.items() if found == status)


class Failing(BaseHTTPRequestHandler):
    """Answers pings, the first good image, and everything after it with 500."""

    protocol_version = "HTTP/1.1"
    answered = threading.Event()

    def do_GET(self) -> None:
        """Answer a ping."""
        self._answer(200)

    def do_POST(self) -> None:
        """Answer."""
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status = 500 if self.answered.is_set() else 200
        self.answered.set()
        self._answer(status)

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def failing() -> Iterator[Watched]:
    """A server that fails, has lost a process at each look but the first two, and takes 40 MB more each time."""
    listener = ThreadingHTTPServer(("127.0.0.1", 0), Failing)
    with in_a_thread(listener), sleeping_process() as process:
        numbers, megabytes = iter([[process], [process], []]), iter(range(0, 1_000, 40))
        yield Watched(listener.server_port, lambda: next(numbers), lambda: next(megabytes), lambda: "Traceback")


@contextlib.contextmanager
def sleeping_process() -> Iterator[int]:
    """Start a process that does nothing, and give its id."""
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process.pid
        process.kill()


def test_the_attack_sees_what_breaks(failing: Watched) -> None:
    """Given a server that answers 500, exits, grows and logs a trace -> each of these is found."""
    found = run(failing, Campaign(mutants=60, raw=0, documents=5, extremes=0, seed=7), BOUNDS).faults
    assert sum(": 500" in text for text in found) >= 100
    for words in ("a good image in between", "a trace in the log", "1 processes died", "grew by 40.0 MB"):
        assert any(words in text for text in found), words


COSTLY = """
import http.server, sys, threading, time
def compute(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end: pass
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self): self.answer()
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if body.startswith(b"compute "): compute(float(body[8:]))
        if body.startswith(b"hold "): held = bytes([1]) * (int(body[5:]) << 20); del held
        if body.startswith(b"later "): threading.Thread(target=compute, args=(float(body[6:]),)).start()
        if body == b"exit": import os; os._exit(1)
        self.answer()
    def answer(self): self.send_response(200); self.send_header("Content-Length", "0"); self.end_headers()
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


@pytest.fixture
def costly() -> Iterator[Oracle]:
    """An oracle of 0.5 s and 64 MB on a server that computes and holds as much as it is asked to."""
    port = free_port()
    with subprocess.Popen([sys.executable, "-c", COSTLY, f"{port}"]) as process:
        oracle = Oracle(Watched(port, lambda: [process.pid], lambda: 0.0, str), bounds.Bounds(0.5, 64))
        wait_until(oracle._answers, 30, "the server answers")
        yield oracle
        process.kill()


def judge(oracle: Oracle, body: bytes) -> list[str]:
    """Have the oracle judge a body, and return what it says of it."""
    before, work = len(oracle.excesses), Extreme(body, kind="planted")
    with contextlib.closing(Client(oracle.server.port, "/", Findings(), Random(0))) as client:
        oracle.judge(work, lambda: client.send(work, b""))
    return oracle.excesses[before:]


def test_the_oracle_sees_what_costs_too_much(costly: Oracle) -> None:
    """Given inputs that cost more CPU or memory than their bound, and some that cost less -> the former are named."""
    assert judge(costly, b"compute 0.1") == []
    assert judge(costly, b"hold 20") == []
    (seconds,) = judge(costly, b"compute 0.9")
    assert seconds.startswith("planted: 0.9")
    assert seconds.endswith(" s of CPU for 11 bytes; allowed: 0.50")
    (megabytes,) = judge(costly, b"hold 200")
    assert megabytes.startswith("planted: 2")
    assert megabytes.endswith(" MB of memory for 8 bytes; allowed: 64")
    assert costly.dearest["planted"].share > 1.5
    assert costly.dearest["planted"].megabytes > 150


def test_larger_inputs_and_lists_may_cost_more(costly: Oracle) -> None:
    """Given the same costs of 5 MB, or of a thousand images -> within the bound."""
    cost = Meter([costly.server.workers()[0]])
    cost.start()
    assert judge(costly, b"compute 0.7" + b" " * 3_000_000) == []
    assert cost.stop(settle=True).cpu_seconds > 0.65
    assert costly.bounds.allowed(Size(0, images=1_000))[0] > costly.bounds.allowed(Size(0))[0] + 0.9


@pytest.mark.every
def test_work_that_never_ends_stops_the_attack(costly: Oracle, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a server that computes on after an excess -> named once, and nothing is blamed on the inputs after it."""
    monkeypatch.setattr("tests.benchmarks.fuzz.cost.BUSY_SECONDS", 0.5)
    judge(costly, b"later 10")
    with pytest.raises(StillBusyError):
        judge(costly, b"compute 0.9")
    assert costly.excesses[-1].endswith("the server still computes 0.5 s later; nothing further was judged")


def test_slow_clients_that_stay_are_seen(costly: Oracle, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a server that waits for its clients for ever -> named, and it closed no connection."""
    monkeypatch.setattr("tests.benchmarks.fuzz.slow_clients.SERVER_SECONDS", 0.3)
    monkeypatch.setattr("tests.benchmarks.fuzz.slow_clients.GRACE", 0.3)
    (fault,) = besiege(costly.server, clients=6).faults
    assert fault.startswith("a slow client kept its connection for 1.")


def test_a_late_ping_and_a_good_image_that_is_rejected_are_seen() -> None:
    """Given what others saw of a server that its slow clients have taken -> a fault each."""
    (ping, afterwards) = Siege(90, 6.0, frozenset({200}), 1.0, 503).faults
    assert ping.startswith("/ping beside 90 slow clients: 6.0 s, [200]")
    assert afterwards == "a good image after 90 slow clients: 503"


@pytest.mark.parametrize("kind", extremes.GENERATORS)
def test_each_kind_of_extreme_input_is_made(kind: str) -> None:
    """Given a seed -> the same inputs again, other ones for another seed, none larger than a body may be."""
    make = extremes.GENERATORS[kind]
    found = [made(make, seed) for seed in (1, 1, 2)]
    assert found[0] == found[1] != found[2]
    assert all(extreme.weight < 4_000_000 for extreme in found[0])


def made(make: Callable[[Random], Extreme], seed: int) -> list[Extreme]:
    """Make six inputs of a kind."""
    random = Random(seed)
    return [make(random) for _ in range(6)]
