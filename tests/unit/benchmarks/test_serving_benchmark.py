import dataclasses
import math
import shutil
import sys
from pathlib import Path

import pytest

from tests.benchmarks.serving import __main__ as command
from tests.benchmarks.serving import bars, load, memory, overload_table, page, revisions, rows, runs, servers, table
from tests.benchmarks.serving.load import Load
from tests.benchmarks.serving.overload_runs import Ended, Held, Overload, Round
from tests.benchmarks.serving.promises import Promise
from tests.benchmarks.serving.runs import Figures
from tests.benchmarks.training.watched import tree
from tests.support.waiting import free_port, wait_until

PRINTED = """Running 5s test @ http://127.0.0.1:1/invocations
  Requests/sec:    104.00
{"requests": 520, "microseconds": 5000000, "p50": 9500, "p99": 12250, "rejected": 15, "failed": 5, "broken": 2}
"""
SMALL_SERVER = """
import http.server, sys, time
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self): self.answer(b"")
    def do_POST(self):
        size = len(self.rfile.read(int(self.headers["Content-Length"])))
        self.answer(b'{"probabilities": [0.25, 0.75]}', 503 if size == 3 else 200)
    def answer(self, body, status=200):
        self.send_response(status); self.send_header("Content-Length", str(len(body))); self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
time.sleep(0.2)
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def figures(rate: float, p50: float = 10.0, p99: float = 12.0) -> Figures:
    """Return figures of one second at this rate over any number of connections, a fifth of it with large images."""
    loads = {count: Load(1.0, round(rate), p50, p99) for count in command.CONNECTIONS}
    return Figures(loads, 0.5, 0.6, 30.0, 15.0, 100.0, 120.0, Load(1.0, round(rate / 5), 50.0, 60.0))


def test_what_wrk_printed_is_read() -> None:
    """Given wrk's output with rejected and failed answers -> only the others count, times are in milliseconds."""
    found = load.read(PRINTED, cpu_seconds=0.5)
    assert (found.rate, found.p50, found.p99, found.errors, found.client_cpu) == (100.0, 9.5, 12.25, 22, 0.1)


def test_wrk_without_its_last_line_is_no_measurement() -> None:
    """Given output without the script's line -> an error shows what there was."""
    with pytest.raises(ValueError, match="unable to connect"):
        load.read("unable to connect to 127.0.0.1:1 Connection refused\n")


def test_missing_wrk_is_told_how_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Given no wrk on PATH -> the message names Debian's package."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RuntimeError, match="apt-get install wrk"):
        load.find_wrk()


@pytest.mark.parametrize(("percent", "value"), [(50, 5.0), (90, 9.0), (99, 10.0), (100, 10.0), (0, 1.0)])
def test_percentiles_are_values_that_occurred(percent: float, value: float) -> None:
    """Given ten values out of order -> the one that so many percent do not exceed."""
    assert load.percentile([10.0, 1.0, 2.0, 3.0, 4.0, 9.0, 8.0, 7.0, 6.0, 5.0], percent) == value


def test_percentile_of_nothing_is_no_number() -> None:
    """Given no values -> NaN, which no promise takes for kept."""
    assert math.isnan(load.percentile([], 50))


def test_times_of_the_bare_engine_are_read() -> None:
    """Given its line -> the rate of all threads together, and the percentiles of all answers."""
    assert runs.read_bare("[2.0, [10.0, 20.0, 30.0, 40.0]]") == Load(2.0, 4, 20.0, 40.0)


@pytest.mark.parametrize(
    ("values", "at_least", "always", "verdict"),
    [
        ([1.0, 2.0, 3.0], True, False, "holds"),
        ([1.0, 1.9, 3.0], True, False, "**falls short**"),
        ([1.0, 2.0, 3.0], True, True, "**falls short**"),
        ([1.0, 2.0, 3.0], False, False, "holds"),
        ([1.0, 2.0, 3.0], False, True, "**falls short**"),
        ([math.nan], True, False, "not measured"),
    ],
)
def test_promises_can_hold_and_fail(values: list[float], at_least: bool, always: bool, verdict: str) -> None:
    """Given rounds on both sides of 2 -> the median decides, or the worst one where each has to keep it."""
    promise = Promise[float]("two", lambda value: value, 2.0, at_least=at_least, always=always)
    assert f"| two | {verdict} |" in promise.row(values)


def test_ratios_are_to_the_row_that_is_named() -> None:
    """Given ours at 100/s and LitServe at 60/s -> 2 times falls short, 1.4 and 1.15 hold, the rest is not measured."""
    found = {rows.OURS: figures(100), rows.LITSERVE_TENSORFLOW: figures(60), rows.LITSERVE_OPENVINO: figures(60)}
    lines = [bar.row([found]) for bar in bars.all_bars() if "requests/s over" in bar.words]
    assert [line.split(" | ")[1] for line in lines if "LitServe, TensorFlow" in line] == ["**falls short**"] * 2
    assert [line.split(" | ")[1] for line in lines if "latency hint" in line] == ["holds"] * 3
    assert all("not measured" in line for line in lines if "Flask" in line or "bare" in line)


def test_tails_and_first_request_are_ours_alone() -> None:
    """Given our p99 at 1.4 times p50, first request at twice a steady one -> 16 and 64 fall short, the others hold."""
    found = {rows.OURS: figures(100, p50=10.0, p99=14.0)}
    verdicts = {bar.words: bar.holds([found]) for bar in bars.all_bars()}
    assert [kept for words, kept in verdicts.items() if words.startswith("p99")] == [True, True, False, False]
    assert verdicts["first request, times a steady one: <= 2.5"] is True
    assert verdicts["12 megapixels, time of an image, times one of 533x400: <= 3"] is False


def test_a_row_that_answers_something_else_is_found() -> None:
    """Given a row whose probabilities are others -> the error names it; small differences of resizing pass."""
    ours = dataclasses.replace(figures(1), answers=((0.2, 0.8),))
    near, far = (dataclasses.replace(ours, answers=((p, 1 - p),)) for p in (0.23, 0.3))
    bars.check_same_work({rows.OURS: ours, rows.FLASK_KERAS: near})
    with pytest.raises(RuntimeError, match="Keras predict answers something else"):
        bars.check_same_work({rows.OURS: ours, rows.FLASK_KERAS: far})


def test_tables_hold_medians_of_the_rounds() -> None:
    """Given three rounds -> a row a server in the fixed order, as wide as the header, with the median."""
    rounds = [{rows.BARE: figures(rate + 9), rows.OURS: figures(rate)} for rate in (90, 100, 200)]
    for lines in (table.rates(rounds, (1, 4)), table.times(rounds, (1, 4)), table.others(rounds)):
        assert [line.split(" | ")[0] for line in lines[2:]] == ["| ours", f"| {rows.BARE.title}"]
        assert {line.count("|") for line in lines} == {lines[0].count("|")}
    assert table.rates(rounds, (1, 4))[2] == "| ours | 100 | 100 | 0 | 0.0 % |"


def test_every_row_is_first_once() -> None:
    """Given as many rounds as rows -> each begins one of them, and none is left out of any."""
    orders = [command.turn(rows.ROWS, number) for number in range(len(rows.ROWS))]
    assert [order[0] for order in orders] == list(rows.ROWS)
    assert all(set(order) == set(rows.ROWS) for order in orders)


def test_overload_is_judged_by_its_worst_round() -> None:
    """Given one lost request in one of two rounds -> that falls short, goodput at 0.96 of the peak holds."""
    many = Overload(Load(1.0, 96, 400.0, 900.0, rejected=500), (1.0, 2.0), (3.0,), unanswered=0)
    rounds = [Round({16: 100.0, 64: 90.0}, {256: many}, Ended(10, 54 - lost, 0, lost, 0, 1.0)) for lost in (0, 1)]
    text = overload_table.report(rounds, Held(90.0, 200.0, 260.0))
    assert "| 256 connections, goodput / peak: >= 0.95 | holds | 0.96 (0.96 to 0.96) |" in text
    assert "| SIGTERM, requests lost: 0 | **falls short** |" in text
    assert "| round 2 | 10 | 53 | 0 | 1 | 0 | 1.00 |" in text
    assert "| MB after 1,000 requests: < 220 | holds | 200 |" in text
    assert "| MB after 100 images of 12 megapixels: < 250 | **falls short** | 260 |" in text


def test_peak_is_not_the_luck_of_a_round() -> None:
    """Given two kinds of peak that are better in turns -> the one with the better median counts in every round."""
    many = Overload(Load(1.0, 95, 400.0, 900.0), (1.0,), (3.0,), unanswered=0)
    ended = Ended(10, 54, 0, 0, 0, 1.0)
    rounds = [Round({16: 100.0, 64: other}, {256: many}, ended) for other in (90.0, 110.0, 90.0)]
    text = overload_table.report(rounds, Held(90.0, 200.0, 240.0))
    assert "| 256 connections, goodput / peak: >= 0.95 | holds | 0.95 (0.95 to 0.95) |" in text


def test_each_command_writes_its_own_block(tmp_path: Path) -> None:
    """Given a page that both commands write, one twice -> the newest of each is there, once."""
    target = tmp_path / "page.md"
    for name, content in (("speed", "old"), ("overload", "kept"), ("speed", "new")):
        page.write(name, content, target)
    text = target.read_text()
    assert [text.count(word) for word in ("old", "kept", "new")] == [0, 1, 1]
    assert text.startswith("# Serving, measured\n")


def test_the_machine_is_named_without_its_hosts(tmp_path: Path) -> None:
    """Given what the kernel says of the CPU -> its name, the number of CPUs, and the pinned versions."""
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nmodel name\t: Some CPU 3000\nflags\t: avx2\n")
    found = page.machine(tmp_path / "cpuinfo")
    assert "CPUs (Some CPU 3000); openvino 20" in found
    assert "litserve 0." in found


def test_a_server_is_timed_from_its_start(tmp_path: Path) -> None:
    """Given a server that sleeps before it listens -> it is ready and answers after that, and is gone at last."""
    port = free_port()
    command_line = [sys.executable, "-c", SMALL_SERVER, str(port)]
    with servers.running(command_line, {}, port, tmp_path, b"an image") as server:
        assert 0.2 < server.ready < server.first_answer
        assert server.steady_request([b"an image"]) > 0
        assert server.probabilities(b"an image") == (0.25, 0.75)
        assert server.megabytes() > 1
        with pytest.raises(RuntimeError, match="answers an image with 503"):
            servers.timed(port, b"bad")
    assert server.process.returncode is not None
    assert memory.tree_megabytes(server.process.pid) == 0


def test_what_a_server_leaves_behind_ends_with_it(tmp_path: Path) -> None:
    """Given a server whose child does not heed its end -> the child is gone afterwards too."""
    child = "import subprocess; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])"
    port = free_port()
    command_line = [sys.executable, "-c", f"import sys; {child}\n{SMALL_SERVER}", str(port)]
    with servers.running(command_line, {}, port, tmp_path, b"an image") as server:
        _, sleeper = tree(server.process.pid)
    wait_until(lambda: memory.tree_megabytes(sleeper) == 0, 5, "the child is gone")
    assert memory.tree_megabytes(sleeper) == 0


def test_a_server_that_ends_tells_why(tmp_path: Path) -> None:
    """Given a server that fails at its start -> the error has the end of its log."""
    command_line = [sys.executable, "-c", "raise SystemExit('no model')"]
    with pytest.raises(RuntimeError, match="no model"), servers.running(command_line, {}, free_port(), tmp_path, b""):
        pass


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")
def test_wrk_posts_the_images_in_turn(tmp_path: Path) -> None:
    """Given one image that is answered and one that is rejected -> wrk sends both equally often and counts each."""
    for name, content in (("good", b"an image"), ("bad", b"bad")):
        (tmp_path / name).write_bytes(content)
    port = free_port()
    command_line = [sys.executable, "-c", SMALL_SERVER, str(port)]
    with servers.running(command_line, {}, port, tmp_path, b"an image") as server:
        found = load.put(server.url, 2, 1, [tmp_path / "good", tmp_path / "bad"])
    assert found.answers > 10
    assert abs(found.answers - found.rejected) <= 2
    assert (found.failed, found.broken) == (0, 0)
    assert 0 < found.p50 <= found.p99
    assert found.client_cpu > 0


def test_revisions_are_compared_round_by_round() -> None:
    """Given a machine that gets twice as fast after a round -> the ratio of the revisions stays what it is."""
    name = "images/s, 16 connections"
    pairs = [({name: 90.0}, {name: 100.0}), ({name: 180.0}, {name: 200.0})]
    lines = revisions.table(pairs, "0123456789abcdef")
    row = next(line for line in lines if line.startswith(f"| {name}"))
    assert row == f"| {name} | 135.00 | 150.00 | 0.900 | 0.900 | 0.900 |"
    assert "0123456789ab" in lines[0]


def test_interval_widens_with_the_noise() -> None:
    """Given ratios that agree and ratios that scatter -> both intervals contain the median, the second is wider."""
    narrow, wide = revisions.interval([0.99, 1.0, 1.01] * 5), revisions.interval([0.7, 1.0, 1.3] * 5)
    assert wide[0] <= narrow[0] <= 1.0 <= narrow[1] <= wide[1]
    assert wide[1] - wide[0] > narrow[1] - narrow[0]


def test_other_revision_is_written_beside_the_working_tree(tmp_path: Path) -> None:
    """Given a revision of this repository -> its program lies in a folder of its own and can be started there."""
    program = revisions.export("HEAD", tmp_path / "other")
    assert program == tmp_path / "other" / "container"
    assert (program / "serve").stat().st_mode & 0o100
    assert (program / "image_classifier" / "serving" / "app.py").is_file()
