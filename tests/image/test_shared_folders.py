import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.image.shared_folders import SharedFolders


def test_folder_is_filled_once(tmp_path: Path) -> None:
    """Given four workers that ask at the same time -> one fills the folder, and each gets the complete one."""
    filled: list[Path] = []

    def fill(folder: Path) -> None:
        filled.append(folder)
        (folder / "first").touch()
        time.sleep(0.05)  # The others ask meanwhile.
        (folder / "last").touch()

    def ask(_: int) -> bool:
        return (SharedFolders(tmp_path).filled("one", fill) / "last").is_file()

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ask, range(4))) == [True] * 4
    assert filled == [tmp_path / "one"]


def test_failed_attempt_is_repeated(tmp_path: Path) -> None:
    """Given a fill that raises halfway -> the next worker starts with an empty folder."""
    shared = SharedFolders(tmp_path)

    def break_off(folder: Path) -> None:
        (folder / "half").touch()
        raise OSError("broken off")

    with pytest.raises(OSError, match="broken off"):
        shared.filled("one", break_off)
    assert list(shared.filled("one", Path.touch).iterdir()) == []
