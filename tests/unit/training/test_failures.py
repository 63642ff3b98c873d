"""What a failed job says, message first."""

import errno
import os
from pathlib import Path

import pytest

from image_classifier.contract.errors import UserError
from image_classifier.training import failures, progress


def test_error_of_ours_is_its_sentence_alone(tmp_path: Path) -> None:
    """A UserError -> its owner and its sentence, no trace."""
    assert failures.message(UserError("Give images."), tmp_path) == "UserError: Give images."


def test_unexpected_error_comes_before_its_trace(tmp_path: Path) -> None:
    """Any other exception -> AlgorithmError with its text in the first line, the trace behind it."""
    try:
        raise KeyError("weights")
    except KeyError as error:
        lines = failures.message(error, tmp_path).splitlines()
    assert lines[0] == "AlgorithmError: unexpected KeyError: 'weights'"
    assert lines[2].startswith("Traceback")


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_full_disk_is_named_with_what_is_free(tmp_path: Path, code: int) -> None:
    """No space for a file in a folder that does not exist yet -> the file, and what is free beside it."""
    path = tmp_path / "new" / "weights.bin"
    said = failures.message(OSError(code, os.strerror(code), str(path)), tmp_path)
    free = os.statvfs(tmp_path)
    assert said.startswith(f"PlatformError: The disk is full at {path}: ")
    assert said.endswith(" bytes are free. Use a larger volume.")
    number = int(said.split(": ")[2].split()[0].replace(",", ""))
    assert number == pytest.approx(free.f_bavail * free.f_frsize, rel=0.05)


def test_full_disk_without_a_file_name_means_the_platforms_folder(tmp_path: Path) -> None:
    """No space, and the error names no file -> the platform's folder is named."""
    assert f"full at {tmp_path}: " in failures.message(OSError(errno.ENOSPC, "No space left"), tmp_path)


def test_file_that_may_not_grow_is_no_full_disk(tmp_path: Path) -> None:
    """A file larger than the process may write -> says so, and what to do."""
    said = failures.message(OSError(errno.EFBIG, "File too large", str(tmp_path / "big")), tmp_path)
    assert said.startswith(f"PlatformError: {tmp_path / 'big'} cannot grow any more: File too large")
    assert "ulimit -f" in said


@pytest.mark.parametrize("code", [errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO, errno.ESTALE])
def test_what_the_machine_withholds_is_the_platforms(tmp_path: Path, code: int) -> None:
    """No permission, a read-only volume or failing storage in the middle of a job -> path, uid and reason."""
    said = failures.message(OSError(code, os.strerror(code), "/model/caf\udce9"), tmp_path)
    assert said.startswith(f"PlatformError: /model/caf\\xe9 cannot be used by uid {os.geteuid()}: {os.strerror(code)}.")


def test_other_errors_of_the_disk_are_unexpected(tmp_path: Path) -> None:
    """A wrong argument -> no word of a full disk or a permission."""
    said = failures.message(OSError(errno.EINVAL, "Invalid argument", "/model"), tmp_path)
    assert said.startswith("AlgorithmError: unexpected OSError: ")


def test_no_secret_of_an_address_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An error, an unexpected one and a line of the log with a presigned address -> none has its signature."""
    address = "https://user:hunter2@host/model.tar.gz?X-Amz-Signature=hunter2"
    progress.log(f"Model: fetching {address}")
    assert capsys.readouterr().out == "Model: fetching https://host/model.tar.gz\n"
    for error in (UserError(f"model_uri is {address}."), ValueError(f"cannot open {address}")):
        message = failures.message(error, tmp_path)
        assert "hunter2" not in message
        assert "https://host/model.tar.gz" in message
