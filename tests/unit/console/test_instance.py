import os
from pathlib import Path

import pytest

from image_classifier.console import instance, server
from image_classifier.contract.errors import UserError


def test_home_has_one_console(tmp_path: Path) -> None:
    """Given a locked home folder -> a second lock fails until the first one is closed."""
    first = instance.lock(tmp_path)
    assert first is not None
    assert instance.lock(tmp_path) is None
    os.close(first)
    second = instance.lock(tmp_path)
    assert second is not None
    os.close(second)


def test_session_is_kept_and_private(tmp_path: Path) -> None:
    """Given two starts -> the same secret, in a file that other users cannot read."""
    found = instance.session(tmp_path)
    assert instance.session(tmp_path) == found
    assert (tmp_path / "session").stat().st_mode & 0o777 == 0o600


def test_session_that_others_can_read_is_replaced(tmp_path: Path) -> None:
    """Given a secret that was readable by others, is cut off, or is a link -> a new one."""
    found = instance.session(tmp_path)
    (tmp_path / "session").chmod(0o644)
    second = instance.session(tmp_path)
    (tmp_path / "session").write_text("short")
    third = instance.session(tmp_path)
    (tmp_path / "session").rename(tmp_path / "elsewhere")
    (tmp_path / "session").symlink_to("elsewhere")
    assert len({found, second, third, instance.session(tmp_path)}) == 4


def test_address_is_announced_and_retired(tmp_path: Path) -> None:
    """Given a console's address -> a second start finds it until the first has ended."""
    assert instance.announced(tmp_path) is None
    instance.announce(tmp_path, "http://127.0.0.1:8000/?token=x")
    assert instance.announced(tmp_path) == "http://127.0.0.1:8000/?token=x"
    instance.retire(tmp_path)
    assert instance.announced(tmp_path) is None


@pytest.mark.parametrize("port", [-1, 0, 65_536])
def test_port_that_no_browser_can_open_is_rejected(port: int) -> None:
    """Given port 0, at which the system would choose one, or one out of range -> the range, before anything listens."""
    with pytest.raises(UserError, match=f"--port is {port}; allowed are 1 to 65535"):
        server.reject_port_in_use("127.0.0.1", port)
