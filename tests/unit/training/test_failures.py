"""The failure message of a job: the headline first."""

import errno
import os
from pathlib import Path

import pytest

from image_classifier.contract.errors import UserError
from image_classifier.training import failures, progress


def test_explained_error_has_no_traceback(tmp_path: Path) -> None:
    """A UserError -> its owner and its sentence, no traceback."""
    assert failures.message(UserError("Give images."), tmp_path) == "UserError: Give images."


def test_unexpected_error_comes_before_its_traceback(tmp_path: Path) -> None:
    """Any other exception -> AlgorithmError with its text in the first line, then the traceback."""
    try:
        raise KeyError("weights")
    except KeyError as error:
        lines = failures.message(error, tmp_path).splitlines()
    assert lines[0] == "AlgorithmError: unexpected KeyError: 'weights'"
    assert lines[2].startswith("Traceback")


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_full_disk_is_named_with_what_is_free(tmp_path: Path, code: int) -> None:
    """No space for a file in a folder that does not exist yet -> the file, and the free bytes of its disk."""
    path = tmp_path / "new" / "weights.bin"
    said = failures.message(OSError(code, os.strerror(code), str(path)), tmp_path)
    free = os.statvfs(tmp_path)
    assert said.startswith(f"PlatformError: The disk is full at {path}: ")
    assert said.endswith(" bytes are free. Use a larger volume.")
    number = int(said.split(": ")[2].split()[0].replace(",", ""))
    assert number == pytest.approx(free.f_bavail * free.f_frsize, rel=0.05)


def test_full_disk_without_a_file_name_names_the_platforms_folder(tmp_path: Path) -> None:
    """No space, and the error has no file name -> the platform's folder is named."""
    assert f"full at {tmp_path}: " in failures.message(OSError(errno.ENOSPC, "No space left"), tmp_path)


def test_file_size_limit_is_not_a_full_disk(tmp_path: Path) -> None:
    """A file larger than the process may write -> a message about the limit, and what to do."""
    said = failures.message(OSError(errno.EFBIG, "File too large", str(tmp_path / "big")), tmp_path)
    assert said.startswith(f"PlatformError: {tmp_path / 'big'} cannot grow: File too large")
    assert "ulimit -f" in said


@pytest.mark.parametrize("code", [errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO, errno.ESTALE])
def test_denied_access_is_a_platform_error(tmp_path: Path, code: int) -> None:
    """No permission, a read-only volume or failing storage in the middle of a job -> path, uid and reason."""
    said = failures.message(OSError(code, os.strerror(code), "/model/caf\udce9"), tmp_path)
    assert said.startswith(f"PlatformError: /model/caf\\xe9 cannot be used by uid {os.geteuid()}: {os.strerror(code)}.")


def test_other_errors_of_the_disk_are_unexpected(tmp_path: Path) -> None:
    """A wrong argument -> AlgorithmError, not a full disk or a missing permission."""
    said = failures.message(OSError(errno.EINVAL, "Invalid argument", "/model"), tmp_path)
    assert said.startswith("AlgorithmError: unexpected OSError: ")


def test_secrets_of_addresses_are_removed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An explained error, an unexpected one and a log line with a presigned address -> without its signature."""
    address = "https://user:hunter2@host/model.tar.gz?X-Amz-Signature=hunter2"
    progress.log(f"Model: fetching {address}")
    assert capsys.readouterr().out == "Model: fetching https://host/model.tar.gz\n"
    for error in (UserError(f"model_uri is {address}."), ValueError(f"cannot open {address}")):
        message = failures.message(error, tmp_path)
        assert "hunter2" not in message
        assert "https://host/model.tar.gz" in message
