"""A log that cannot be written does not block."""

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
    """The read and write ends of a pipe."""
    ends = os.pipe()
    yield ends
    for end in ends:
        try:
            os.close(end)
        except OSError:  # closed by the test
            continue


def record(text: str) -> logging.LogRecord:
    """Return a log record."""
    return logging.LogRecord("test", logging.INFO, "here", 1, text, None, None)


def test_lines_arrive(pipe: tuple[int, int]) -> None:
    """Given a reader -> it gets each complete line, whatever its content."""
    handler = LogStream(pipe[1])
    for text in ("one", "zwölf", "half a character: \udc80"):
        handler.handle(record(text))
    assert os.read(pipe[0], 1000).decode() == "one\nzwölf\nhalf a character: \\udc80\n"


def test_missing_reader_is_tolerated(pipe: tuple[int, int], capfd: pytest.CaptureFixture[str]) -> None:
    """Given a pipe without a reader -> the line is dropped silently."""
    os.close(pipe[0])
    LogStream(pipe[1]).handle(record("lost"))
    assert capfd.readouterr().err == ""


def test_closed_descriptor_is_tolerated(pipe: tuple[int, int], capfd: pytest.CaptureFixture[str]) -> None:
    """Given a closed descriptor -> the line is dropped silently."""
    handler = LogStream(pipe[1])
    os.close(pipe[1])
    handler.handle(record("lost"))
    assert capfd.readouterr().err == ""


def test_full_disk_is_tolerated(capfd: pytest.CaptureFixture[str]) -> None:
    """Given a device that is always full -> the line is dropped silently."""
    descriptor = os.open("/dev/full", os.O_WRONLY)
    try:
        LogStream(descriptor).handle(record("lost"))
    finally:
        os.close(descriptor)
    assert capfd.readouterr().err == ""


def test_stalled_reader_does_not_block(pipe: tuple[int, int]) -> None:
    """Given a pipe whose reader stalls -> a thousand lines take no time once it is full; later lines arrive."""
    handler = LogStream(pipe[1])
    began = time.monotonic()
    for _ in range(1000):
        handler.handle(record("x" * 1000))
    assert time.monotonic() - began < 5
    assert len(os.read(pipe[0], 1 << 20)) < 70_000
    handler.handle(record("awake"))
    assert os.read(pipe[0], 1000) == b"awake\n"


def test_long_line_arrives_completely(pipe: tuple[int, int]) -> None:
    """Given a line of 20,000 characters and an empty pipe -> it arrives completely."""
    LogStream(pipe[1]).handle(record("y" * 20000))
    assert os.read(pipe[0], 65536) == b"y" * 20000 + b"\n"


def test_process_without_standard_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a process started without standard error -> descriptor 2, whatever it is now, is not used."""
    monkeypatch.setattr("sys.stderr", None)
    log_stream.to_standard_error().handle(record("nowhere"))
    assert not isinstance(log_stream.to_standard_error(), LogStream)


def test_only_complete_lines_are_written(pipe: tuple[int, int]) -> None:
    """Given a pipe with room for half of a long text -> the output ends at the end of a line."""
    lines = b"".join(b"%01999d\n" % number for number in range(100))
    log_stream.LineWriter(pipe[1]).write(lines)
    arrived = os.read(pipe[0], 1 << 20)
    assert 10_000 < len(arrived) < len(lines)
    assert arrived.endswith(b"\n")
    assert lines.startswith(arrived)


_PRINTS = """
import ctypes, faulthandler, logging, os, sys, threading, time, warnings
from image_classifier.serving.monitoring import log_stream

log_stream.make_non_blocking()
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
def test_no_output_blocks_on_a_reader(tmp_path: Path, pipe: tuple[int, int], reader: str) -> None:
    """Given a process whose output is not read -> Python, C, warnings and tracebacks print, and it exits."""
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
    # Other users of the pipe still block, as they expect.
    assert os.get_blocking(pipe[1])


def test_printed_output_arrives(tmp_path: Path) -> None:
    """Given files for both streams -> earlier content stays, each line arrives, the traceback last."""
    program = (
        "import sys, warnings\nfrom image_classifier.serving.monitoring import log_stream\n"
        "log_stream.make_non_blocking()\n"
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


def test_lines_of_several_processes_do_not_interleave(pipe: tuple[int, int]) -> None:
    """Given four processes that write to one pipe -> each line is complete."""
    program = (
        "import sys\nfrom image_classifier.serving.monitoring import log_stream\nlog_stream.make_non_blocking()\n"
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
