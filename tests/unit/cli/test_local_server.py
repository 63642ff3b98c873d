"""A server for as long as a command needs it; tests/platform starts real ones through scripts/demo."""

from pathlib import Path

import pytest

from image_classifier.contract.errors import PlatformError
from image_classifier.runners import local_server


def test_server_that_does_not_start_gives_its_reason(tmp_path: Path) -> None:
    """Given a model folder that is missing, quietly -> one sentence with the exit code and its last message."""
    with (
        pytest.raises(PlatformError, match=r"The server exited with code 1\. Its last message: .*absent"),
        local_server.serving(tmp_path / "absent", local_server.free_port(), quiet=True),
    ):
        raise AssertionError("it must not be served")
