"""A log that cannot be written holds nobody up."""

import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from image_classifier import PROGRAM
from image_classifier.serving.monitoring import log_stream
from image_classifier.serving.monitoring.log_stream import LogStream


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """The two ends of a pipe, to read from and to write to."""
    ends = os.pipe()
    yield ends
    for end in ends:
        try:
            os.close(end)
        except OSError:  # closed by the test
            continue


def record(text: str) -> logging.LogRecord:
    """Make a line of the log."""
    return logging.LogRecord("test", logging.INFO, "here", 1, text, None, None)


def test_lines_arrive(pipe: tuple[int, int]) -> None:
    """Given a reader -> it gets each line whole, whatever is in it."""
    handler = LogStream(pipe[1])
    for text in ("one", "zwölf", "half a character: \udc80"):
        handler.handle(record(text))
    assert os.read(pipe[0], 1000).decode() == "one\nzwölf\nhalf a character: \\udc80\n"


def test_reader_that_is_gone_is_no_error(pipe: tuple[int, int], capfd: pytest.CaptureFixture[str]) -> None:
    """Given a pipe that nobody reads any more -> the line is dropped without a word."""
    os.close(pipe[0])
    LogStream(pipe[1]).handle(record("lost"))
    assert capfd.readouterr().err == ""


def test_closed_descriptor_is_no_error(pipe: tuple[int, int], capfd: pytest.CaptureFixture[str]) -> None:
    """Given a descriptor that was closed -> the line is dropped without a word."""
    handler = LogStream(pipe[1])
    os.close(pipe[1])
    handler.handle(record("lost"))
    assert capfd.readouterr().err == ""


def test_full_disk_is_no_error(capfd: pytest.CaptureFixture[str]) -> None:
    """Given a device that is always full -> the line is dropped without a word."""
    descriptor = os.open("/dev/full", os.O_WRONLY)
    try:
        LogStream(descriptor).handle(record("lost"))
    finally:
        os.close(descriptor)
    assert capfd.readouterr().err == ""


def test_reader_that_stops_holds_nobody_up(pipe: tuple[int, int]) -> None:
    """Given a pipe whose reader sleeps -> a thousand lines take no time once it is full; later ones come through."""
    handler = LogStream(pipe[1])
    began = time.monotonic()
    for _ in range(1000):
        handler.handle(record("x" * 1000))
    assert time.monotonic() - began < 5
    assert len(os.read(pipe[0], 1 << 20)) < 70_000
    handler.handle(record("awake"))
    assert os.read(pipe[0], 1000) == b"awake\n"


def test_line_longer_than_a_pipe_takes_at_once(pipe: tuple[int, int]) -> None:
    """Given a line of 20,000 characters and an empty pipe -> it arrives whole."""
    LogStream(pipe[1]).handle(record("y" * 20000))
    assert os.read(pipe[0], 65536) == b"y" * 20000 + b"\n"


def test_process_without_standard_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a process that was started without standard error -> descriptor 2, whatever it is now, is left alone."""
    monkeypatch.setattr("sys.stderr", None)
    log_stream.to_standard_error().handle(record("nowhere"))
    assert not isinstance(log_stream.to_standard_error(), LogStream)


def test_lines_are_written_whole(pipe: tuple[int, int]) -> None:
    """Given a pipe that has room for half of a long text -> what arrives ends with the end of a line."""
    lines = b"".join(b"%01999d\n" % number for number in range(100))
    log_stream.Lines(pipe[1]).write(lines)
    arrived = os.read(pipe[0], 1 << 20)
    assert 10_000 < len(arrived) < len(lines)
    assert arrived.endswith(b"\n")
    assert lines.startswith(arrived)


_PRINTS = """
import ctypes, faulthandler, logging, os, sys, threading, time, warnings
from image_classifier.serving.monitoring import log_stream

log_stream.never_wait()
began = time.monotonic()
logging.basicConfig(format="%(message)s", handlers=[log_stream.to_standard_error()])
libc = ctypes.CDLL(None)

def fail():
    raise ValueError("unforeseen")

for number in range(200):
    print("x" * 1000)
    print("x" * 1000, file=sys.stderr)
    warnings.warn(f"odd {number} " + "x" * 1000)
    logging.error("x" * 1000)
    logging.getLogger("unknown").error("x" * 1000)
    libc.write(2, b"x" * 1000, 1000)
    libc.perror(b"x" * 1000)
    faulthandler.dump_traceback()
    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
with open(os.environ["DONE"], "w") as done:
    done.write(str(time.monotonic() - began))
fail()
"""


@pytest.mark.parametrize("reader", ["sleeps", "is gone"])
def test_nothing_that_is_printed_waits_for_a_reader(tmp_path: Path, pipe: tuple[int, int], reader: str) -> None:
    """Given a process whose output is not read -> Python, C, warnings and traces print, and it reaches its end."""
    environment = {"PYTHONPATH": str(PROGRAM), "DONE": str(tmp_path / "done")}
    process = subprocess.Popen([sys.executable, "-c", _PRINTS], env=environment, stdout=pipe[1], stderr=pipe[1])
    if reader == "is gone":
        os.close(pipe[0])
    try:
        assert process.wait(60) == 1
    finally:
        process.kill()
        process.wait()
    assert float((tmp_path / "done").read_text()) < 30
    # The pipe's other users still wait, as they expect to.
    assert os.get_blocking(pipe[1])


def test_what_is_printed_arrives(tmp_path: Path) -> None:
    """Given files for both streams -> what was there before stays, each line arrives, and the trace at the end."""
    program = (
        "import sys, warnings\nfrom image_classifier.serving.monitoring import log_stream\nlog_stream.never_wait()\n"
        "print('one', end=' ')\nprint('two')\nprint('three', end='', flush=True)\nwarnings.warn('odd')\n"
        "raise KeyError(7)"
    )
    with (tmp_path / "out").open("wb") as out, (tmp_path / "error").open("wb") as error:
        out.write(b"before\n")
        out.flush()
        command = [sys.executable, "-c", program]
        subprocess.run(command, env={"PYTHONPATH": str(PROGRAM)}, stdout=out, stderr=error, check=False)
    assert (tmp_path / "out").read_text() == "before\none two\nthree"
    assert "UserWarning: odd" in (tmp_path / "error").read_text()
    assert (tmp_path / "error").read_text().endswith("KeyError: 7\n")


def test_lines_of_several_processes_do_not_mix(pipe: tuple[int, int]) -> None:
    """Given four processes that write into one pipe as fast as it is read -> each line is one of theirs."""
    program = (
        "import sys\nfrom image_classifier.serving.monitoring import log_stream\nlog_stream.never_wait()\n"
        "for number in range(2000): print(sys.argv[1] * 3000, file=sys.stderr)"
    )
    environment = {"PYTHONPATH": str(PROGRAM)}
    processes = [
        subprocess.Popen([sys.executable, "-c", program, letter], env=environment, stderr=pipe[1]) for letter in "abcd"
    ]
    os.close(pipe[1])
    found = b""
    while block := os.read(pipe[0], 65536):
        found += block
    assert [process.wait(60) for process in processes] == [0] * 4
    lines = set(found.splitlines())
    assert len(found.splitlines()) > 100
    assert lines <= {letter * 3000 for letter in (b"a", b"b", b"c", b"d")}
