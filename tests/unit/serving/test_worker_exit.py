"""The end of a worker whose model cannot be loaded."""

import io
import os
import sys
from typing import NoReturn

import pytest

from image_classifier.serving.processes import worker


class FullDisk(io.StringIO):
    """Standard error of which every write fails."""

    def write(self, text: str) -> NoReturn:
        """Fail as a full disk does."""
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize(("stream", "said"), [(io.StringIO(), "why\n"), (FullDisk(), "")])
def test_worker_ends_whether_or_not_its_reason_can_be_said(
    monkeypatch: pytest.MonkeyPatch, stream: io.StringIO, said: str
) -> None:
    """Given standard error, and one that cannot be written -> the exit code that stops the server."""

    def end(code: int) -> NoReturn:
        raise SystemExit(code)

    monkeypatch.setattr(os, "_exit", end)
    monkeypatch.setattr(sys, "stderr", stream)
    with pytest.raises(SystemExit) as ended:
        worker._exit("why")
    assert (ended.value.code, stream.getvalue()) == (worker.BOOT_FAILURE, said)
