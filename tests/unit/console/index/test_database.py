import resource
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from image_classifier import PROGRAM
from image_classifier.console.index.database import CORRUPT, FILE, Index
from tests.support.environments import unmeasured

INSERT = "INSERT OR REPLACE INTO queue (name, position) VALUES (?, ?)"
SELECT = "SELECT name, position FROM queue ORDER BY name"


def test_what_was_written_is_read_by_another_start(tmp_path: Path) -> None:
    """Given rows that one index wrote -> another one on the same file reads them."""
    assert Index(tmp_path / FILE).write(INSERT, [("a", 1), ("b", 2)])
    assert Index(tmp_path / FILE).read(SELECT) == [("a", 1), ("b", 2)]


def test_rows_are_written_all_or_not_at_all(tmp_path: Path) -> None:
    """Given a row that cannot be stored after one that can -> neither is, and the fault is named."""
    index = Index(tmp_path / FILE)
    assert not index.write("INSERT INTO queue (name, position) VALUES (?, ?)", [("a", 1), ("b", None)])
    assert index.read(SELECT) == []


@pytest.mark.parametrize("content", [b"no database at all" * 100, b"SQLite format 3\0" + b"\xff" * 4096])
def test_corrupt_file_is_put_aside(content: bytes, tmp_path: Path) -> None:
    """Given a file that is not a database -> it is kept under another name, and a new index works."""
    (tmp_path / FILE).write_bytes(content)
    index = Index(tmp_path / FILE)
    assert index.read(SELECT) == []
    assert index.write(INSERT, [("a", 1)])
    assert index.read(SELECT) == [("a", 1)]
    assert (tmp_path / f"{FILE}{CORRUPT}").read_bytes() == content


def test_file_that_becomes_corrupt_is_replaced_for_every_thread(tmp_path: Path) -> None:
    """Given an index in use by two threads whose file is overwritten -> both continue with a new file."""
    index = Index(tmp_path / FILE)
    index.write(INSERT, [("a", 1)])
    results: list[bool] = []
    overwritten, done = threading.Event(), threading.Event()

    def other() -> None:
        results.append(index.write(INSERT, [("b", 2)]))
        done.set()
        overwritten.wait(10)
        results.append(index.write(INSERT, [("c", 3)]))

    thread = threading.Thread(target=other)
    thread.start()
    assert done.wait(10)
    for suffix in ("-wal", "-shm"):
        (tmp_path / f"{FILE}{suffix}").unlink(missing_ok=True)
    (tmp_path / FILE).unlink()
    (tmp_path / FILE).write_bytes(b"\xff" * 8192)
    # Open connections keep the old file, as those of SQLite do; new ones find that the path has another one.
    fresh = Index(tmp_path / FILE)
    assert fresh.write(INSERT, [("d", 4)])
    overwritten.set()
    thread.join(10)
    assert results == [True, True]
    assert fresh.read(SELECT) == [("d", 4)]


def test_deleted_file_is_made_again(tmp_path: Path) -> None:
    """Given an index whose file is deleted meanwhile -> it is empty, and takes rows."""
    index = Index(tmp_path / FILE)
    index.write(INSERT, [("a", 1)])
    for path in tmp_path.iterdir():
        path.unlink()
    assert index.read(SELECT) == []
    assert index.write(INSERT, [("b", 2)])
    assert index.read(SELECT) == [("b", 2)]


def test_two_processes_write_at_the_same_time(tmp_path: Path) -> None:
    """Given two processes with 200 writes each -> every row is there."""
    code = (
        "import sys; from pathlib import Path; from image_classifier.console.index.database import Index\n"
        "index = Index(Path(sys.argv[1]))\n"
        f"assert all(index.write({INSERT!r}, [(f'{{sys.argv[2]}}-{{i}}', i)]) for i in range(200))\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / FILE)]
    processes = [subprocess.Popen([*command, name], env=unmeasured(PYTHONPATH=str(PROGRAM))) for name in ("a", "b")]
    assert [process.wait(60) for process in processes] == [0, 0]
    assert len(Index(tmp_path / FILE).read(SELECT)) == 400


def test_full_disk_fails_no_request(tmp_path: Path) -> None:
    """Given a disk on which nothing can grow -> the write reports it in one sentence, and works again with space."""
    index = Index(tmp_path / FILE)
    assert index.write(INSERT, [("a", 1)])
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = (tmp_path / f"{FILE}-wal").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        assert not index.write(INSERT, [(f"{number}" * 900, number) for number in range(300)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert index.fault is not None
    assert "cannot be used" in index.fault
    assert index.write(INSERT, [("b", 2)])
    assert index.fault is None
    assert index.read(SELECT) == [("a", 1), ("b", 2)]


def test_unwritable_folder_fails_no_request(tmp_path: Path) -> None:
    """Given a folder that does not exist -> nothing is read or written, and nothing is raised."""
    index = Index(tmp_path / "missing" / FILE)
    assert index.read(SELECT) == []
    assert not index.write(INSERT, [("a", 1)])
