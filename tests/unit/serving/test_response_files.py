"""Long responses in files: a common budget, released with the response, and clear errors of the disk."""

import os
from pathlib import Path

import pytest

from image_classifier.serving.formats import response_files
from image_classifier.serving.formats.response_files import ResponseFiles, SpooledResponse
from image_classifier.serving.rejection import RejectedError


@pytest.fixture(autouse=True)
def small_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Spool responses of more than 1,000 bytes to files, in a temporary folder for the test."""
    monkeypatch.setattr(response_files, "IN_MEMORY", 1000)
    monkeypatch.setattr(response_files, "BLOCK_BYTES", 256)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


@pytest.mark.parametrize("pieces", [0, 1, 9, 10, 11, 95])
def test_response_consists_of_its_pieces(pieces: int) -> None:
    """Given pieces in memory and in a file -> the same bytes in order, in blocks, with the correct length."""
    answer = SpooledResponse(ResponseFiles(100_000))
    whole = b"".join(b"%099d\n" % number for number in range(pieces))
    for number in range(pieces):
        answer.write(b"%099d\n" % number)
    assert len(answer) == len(whole)
    blocks = list(answer)
    assert b"".join(blocks) == whole
    assert all(len(block) <= 256 for block in blocks)
    answer.close()


def test_responses_share_a_budget() -> None:
    """Given space for one long response -> the second gets 503 with Retry-After until the first is closed."""
    files = ResponseFiles(5000)
    first, second = SpooledResponse(files), SpooledResponse(files)
    first.write(b"x" * 4000)
    with pytest.raises(RejectedError, match="SERVE_ANSWER_FILES_MB") as found:
        second.write(b"x" * 4000)
    assert (found.value.status, found.value.code, found.value.headers["Retry-After"]) == (503, "busy", "1")
    second.close()
    first.close()
    first.close()
    assert files.used == 0
    third = SpooledResponse(files)
    third.write(b"x" * 4000)
    del third
    assert files.used == 0


def test_full_disk_is_507(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a device that is always full -> 507 with the reason and the remedy, and the space is released."""
    files = ResponseFiles(100_000)
    monkeypatch.setattr(
        "tempfile.TemporaryFile", lambda buffering: os.fdopen(os.open("/dev/full", os.O_RDWR), "w+b", 0)
    )
    answer = SpooledResponse(files)
    with pytest.raises(RejectedError, match=r"No space left on device.*Send fewer images") as found:
        answer.write(b"x" * 4000)
    assert (found.value.status, found.value.code) == (507, "no_disk_space")
    answer.close()
    assert files.used == 0


def test_missing_temporary_folder_is_507(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a missing temporary folder -> 507; short responses are not affected."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    answer = SpooledResponse(ResponseFiles(100_000))
    answer.write(b"x" * 900)
    with pytest.raises(RejectedError, match="No such file or directory"):
        answer.write(b"x" * 900)
    answer.close()
