"""A log that cannot be written holds nobody up."""

import logging
import os
import time
from collections.abc import Iterator

import pytest

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
