"""Logs that grow: only what is new is read, and the curve survives resumptions."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from image_classifier.runners import log_reading
from image_classifier.runners.log_reading import LogProgress

HEAD = "epochs = 3 (given)\nTraining images: 30/90 images, 2 s\n"


def epoch(loss: float, seconds: int = 4) -> str:
    """Return the line of an epoch."""
    return f"9/9 - {seconds}s - loss: {loss} - val_accuracy: 0.5\n"


@pytest.fixture
def follow(tmp_path: Path) -> Callable[..., LogProgress]:
    """Append to the log and follow it."""
    log = tmp_path / "job.log"

    def append_and_follow(text: str = "", mode: str = "a") -> LogProgress:
        with log.open(mode) as file:
            file.write(text)
        return log_reading.follow(log, tmp_path / log_reading.FILE)

    return append_and_follow


def test_images_have_rate_and_time_left(follow: Callable[..., LogProgress]) -> None:
    """Given 30 of 90 images in 2 s -> 15 a second and 4 s left; at the end of the phase neither."""
    found = follow(HEAD)
    assert (found.phase.name, found.phase.done, found.phase.total) == ("Decoding training images", 30, 90)
    assert (found.units_per_second(), found.eta_seconds()) == (15.0, 4.0)
    found = follow("Training images: 90/90 images, 6 s\n")
    assert (found.phase.name, found.phase.total, found.eta_seconds()) == ("Training", None, None)


def test_epochs_shorter_than_a_second_have_no_estimate(follow: Callable[..., LogProgress]) -> None:
    """Given whole seconds in the log and epochs of 0 s -> no invented time; given 4 s each -> what is left."""
    assert follow(HEAD + epoch(0.5, 0)).eta_seconds() is None
    assert follow(HEAD + 2 * epoch(0.5), "w").eta_seconds() == 4.0


@pytest.mark.parametrize("resumption", ["resumed", "from the start"])
def test_curve_of_a_resumed_job_has_each_epoch_once(follow: Callable[..., LogProgress], resumption: str) -> None:
    """Given a job that resumes after one of two epochs, or from the start -> the epochs of its last run count."""
    line = "Resuming from a checkpoint: epoch 2, after step 0 of 9, 1 epochs measured before.\n"
    again = HEAD + (line + epoch(0.2) if resumption == "resumed" else epoch(0.1) + epoch(0.2))
    found = follow(HEAD + epoch(0.9) + epoch(0.8) + again)
    assert [one.number for one in found.epochs] == [1, 2]
    assert found.epochs[1].metrics["loss"] == 0.2
    assert found.epochs[0].metrics["loss"] == (0.9 if resumption == "resumed" else 0.1)


def test_head_of_a_recipe_comes_before_its_first_epoch(follow: Callable[..., LogProgress]) -> None:
    """Given recipe=auto, run twice -> its head as number 0 and the epochs of the fine-tuning from 1 on, once each."""
    run = "recipe = auto (given)\nHead: new, on a backbone.\n" + epoch(0.9) + epoch(0.8) + epoch(0.7)
    assert [one.number for one in follow(2 * run).epochs] == [0, 1, 2]


def test_half_a_line_waits_for_its_other_half(follow: Callable[..., LogProgress]) -> None:
    """Given a line that is still being written -> it is read when it is whole, and once."""
    first, second = epoch(0.25)[:20], epoch(0.25)[20:]
    assert follow(HEAD + first).epochs == []
    assert [one.metrics["loss"] for one in follow(second).epochs] == [0.25]


def test_new_log_is_read_from_its_beginning(follow: Callable[..., LogProgress]) -> None:
    """Given a log that was replaced by a shorter one -> nothing of the old one is left."""
    follow(HEAD + 10_000 * epoch(0.5))
    found = follow(HEAD, "w")
    assert (found.epochs, found.offset) == ([], len(HEAD))


def test_large_log_is_read_once(
    follow: Callable[..., LogProgress], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given twelve times what a call may read -> no call reads more, and once it is read a call reads what is new."""
    read: list[int] = []

    class Counting:
        def __init__(self, file: BinaryIO) -> None:
            self._file = file

        def readline(self, limit: int) -> bytes:
            line = self._file.readline(limit)
            read.append(len(line))
            return line

    monkeypatch.setattr(log_reading, "LONGEST_READ", 800_000)
    lines = log_reading._lines
    monkeypatch.setattr(log_reading, "_lines", lambda file, limit: lines(Counting(file), limit))  # type: ignore[arg-type]
    with (tmp_path / "job.log").open("w") as log:
        log.write(HEAD)
        # Long lines: what counts is bytes.
        for _ in range(100):
            log.write(f"{'x' * 99_999}\n")
        log.write(epoch(0.5))
    calls = 0
    while not follow().epochs:
        assert sum(read) <= 2 * log_reading.LONGEST_READ
        read.clear()
        calls += 1
    assert calls == 10_000_000 // log_reading.LONGEST_READ
    read.clear()
    assert len(follow(epoch(0.25)).epochs) == 2
    assert sum(read) < 300_000


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"offset": 5, "phase": {}, "epochs": [{}]}', '{"offset": "x"'])
def test_damaged_cache_is_ignored(follow: Callable[..., LogProgress], tmp_path: Path, content: str) -> None:
    """Given a cache that is empty or of another version -> the log is read again."""
    (tmp_path / log_reading.FILE).write_text(content)
    assert len(follow(HEAD + epoch(0.5)).epochs) == 1


def test_bytes_that_are_not_text(tmp_path: Path) -> None:
    """Given bytes that are not UTF-8, carriage returns and a missing log -> readable lines, or none."""
    assert log_reading.follow(tmp_path / "absent", tmp_path / "cache").offset == 0
    assert log_reading.part(tmp_path / "absent", -100).text == ""
    (tmp_path / "job.log").write_bytes(b"caf\xe9\r\nWARNING: \xff\n")
    found = log_reading.follow(tmp_path / "job.log", tmp_path / "cache")
    assert found.warnings == ["WARNING: \ufffd"]


def test_parts_join_to_the_log(tmp_path: Path) -> None:
    """Given offsets from one part to the next -> the whole log, in whole lines; from the end -> its last lines."""
    log = tmp_path / "job.log"
    text = "".join(f"line {number} é\n" for number in range(20_000))
    log.write_text(text + "not finished")
    found, part = "", log_reading.part(log, 0)
    while part.text:
        assert part.text.endswith("\n")
        found, part = found + part.text, log_reading.part(log, part.offset)
    assert found == text
    last = log_reading.part(log, -100)
    assert last.text.startswith("line 199")
    assert text.endswith(last.text)
    assert last.offset == len(text.encode())
    log.write_text("x" * 200_000)
    parts: list[Any] = [log_reading.part(log, 0)]
    while parts[-1].text:
        parts.append(log_reading.part(log, parts[-1].offset))
    assert "".join(one.text for one in parts) == "x" * 3 * 65536
