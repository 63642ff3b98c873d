"""Long answers in files: bounded together, freed with the answer, and a disk that takes nothing is told."""

import os
from pathlib import Path

import pytest

from image_classifier.serving.formats import response_files
from image_classifier.serving.formats.response_files import AnswerFiles, LongAnswer
from image_classifier.serving.rejection import RejectedError


@pytest.fixture(autouse=True)
def short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers of more than 1,000 bytes go into files, below a temporary folder of the test's own."""
    monkeypatch.setattr(response_files, "IN_MEMORY", 1000)
    monkeypatch.setattr(response_files, "SENT_AT_ONCE", 256)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


@pytest.mark.parametrize("pieces", [0, 1, 9, 10, 11, 95])
def test_answer_is_its_pieces(pieces: int) -> None:
    """Pieces in memory alone and in a file -> the same bytes in their order, in blocks, and their number before."""
    answer = LongAnswer(AnswerFiles(100_000))
    whole = b"".join(b"%099d\n" % number for number in range(pieces))
    for number in range(pieces):
        answer.write(b"%099d\n" % number)
    assert len(answer) == len(whole)
    blocks = list(answer)
    assert b"".join(blocks) == whole
    assert all(len(block) <= 256 for block in blocks)
    answer.close()


def test_answers_share_the_space_and_give_it_back() -> None:
    """Space for one long answer -> the second gets 503 with Retry-After until the first one is closed."""
    files = AnswerFiles(5000)
    first, second = LongAnswer(files), LongAnswer(files)
    first.write(b"x" * 4000)
    with pytest.raises(RejectedError, match="SERVE_ANSWER_FILES_MB") as found:
        second.write(b"x" * 4000)
    assert (found.value.status, found.value.code, found.value.headers["Retry-After"]) == (503, "busy", "1")
    second.close()
    first.close()
    first.close()
    assert files.used == 0
    third = LongAnswer(files)
    third.write(b"x" * 4000)
    del third
    assert files.used == 0


def test_full_disk_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A device that is always full -> 507 that says so and what to do, and the space is given back."""
    files = AnswerFiles(100_000)
    monkeypatch.setattr(
        "tempfile.TemporaryFile", lambda buffering: os.fdopen(os.open("/dev/full", os.O_RDWR), "w+b", 0)
    )
    answer = LongAnswer(files)
    with pytest.raises(RejectedError, match=r"No space left on device.*Send fewer images") as found:
        answer.write(b"x" * 4000)
    assert (found.value.status, found.value.code) == (507, "no_disk_space")
    answer.close()
    assert files.used == 0


def test_missing_temporary_folder_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A temporary folder that is gone -> 507; short answers are made all the same."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    answer = LongAnswer(AnswerFiles(100_000))
    answer.write(b"x" * 900)
    with pytest.raises(RejectedError, match="No such file or directory"):
        answer.write(b"x" * 900)
    answer.close()
