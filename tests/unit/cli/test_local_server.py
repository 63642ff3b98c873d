"""A server for as long as a command needs it; tests/platform starts real ones through scripts/demo."""

from pathlib import Path

import pytest

from image_classifier.contract.errors import PlatformError, UserError
from image_classifier.runners import local_server


def test_model_that_cannot_be_served_is_an_error_of_the_user(tmp_path: Path) -> None:
    """Given a folder of images instead of a model, quietly -> the server's own sentence and the owner that it names."""
    (tmp_path / "photos" / "cat").mkdir(parents=True)
    with (
        pytest.raises(UserError, match=rf"^{tmp_path}/photos contains no SavedModel"),
        local_server.serving(tmp_path / "photos", local_server.free_port(), quiet=True),
    ):
        raise AssertionError("it must not be served")


def test_server_that_crashes_gives_its_last_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a server that exits without an error of ours, quietly -> one sentence with its code and its last line."""
    script = tmp_path / "scripts" / "serve-locally"
    script.parent.mkdir()
    script.write_text("#!/bin/sh\necho Traceback >&2\necho ImportError: no gunicorn >&2\nexit 3\n")
    script.chmod(0o755)
    monkeypatch.setattr(local_server, "PROGRAM", tmp_path / "container")
    with (
        pytest.raises(PlatformError, match=r"^The server exited with code 3\. Its last message: ImportError: no gu"),
        local_server.serving(tmp_path, local_server.free_port(), quiet=True),
    ):
        raise AssertionError("it must not be served")
