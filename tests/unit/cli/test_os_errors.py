"""Errors of the system at the edge of a command."""

import errno
from pathlib import Path

import pytest

from image_classifier.cli.terminal import os_errors

OUTPUT = Path("/data/run/report")


@pytest.mark.parametrize(
    ("name", "number", "text"),
    [
        ("/data/photos/a.jpg", errno.EACCES, "UserError: /data/photos/a.jpg cannot be used: Permission denied."),
        ("/data/run/model", errno.EACCES, "UserError: /data/run/model cannot be used: Permission denied."),
        ("/data/run/report/report.html", errno.EACCES, "PlatformError: /data/run/report cannot be written: "),
        ("/data/run", errno.EACCES, "PlatformError: /data/run/report cannot be written: "),
        ("/data/run/.writing-x/report", errno.EACCES, "PlatformError: /data/run/report cannot be written: "),
        ("/data/run/report.partial", errno.EACCES, "PlatformError: /data/run/report cannot be written: "),
        ("/tmp/scratch/file", errno.ENOSPC, "PlatformError: /data/run/report cannot be written: "),
        (None, errno.ENOSPC, "PlatformError: /data/run/report cannot be written: "),
    ],
)
def test_file_that_was_read_is_not_the_output(name: str | None, number: int, text: str) -> None:
    """Given a file elsewhere, one of the output, a temporary one, a full disk -> the file that has to change."""
    message = {errno.EACCES: "Permission denied", errno.ENOSPC: "No space left on device"}[number]
    found = os_errors.explained(OSError(number, message, name), OUTPUT)
    assert f"{type(found).__name__}: {found}".startswith(text)


def test_file_that_stayed_is_said() -> None:
    """Given an archive that a failed write left as it was -> that it is unchanged."""
    found = os_errors.explained(OSError(errno.ENOSPC, "No space left on device"), OUTPUT, unchanged=True)
    assert str(found).startswith(f"{OUTPUT} is unchanged, since it cannot be written: ")
