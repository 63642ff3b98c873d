"""How much memory a process may take."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from image_classifier import PROGRAM
from image_classifier.resources import memory

MEGABYTE = 1 << 20
MACHINE = f"MemTotal: {4000 * 1024} kB\nMemFree: 1 kB\nMemAvailable: {1000 * 1024} kB\nHugePages_Total: 0\n"


def second_version(folder: Path, limit: str, used: int = 0, cached: int = 0) -> Path:
    """Lay out a control group of the second version; used and cached in megabytes."""
    (folder / "memory.max").write_text(f"{limit}\n")
    (folder / "memory.current").write_text(f"{used * MEGABYTE}\n")
    half = cached * MEGABYTE // 2
    (folder / "memory.stat").write_text(f"anon 5\nfile 7\ninactive_file {half}\nactive_file {half}\n")
    return folder


def first_version(folder: Path, limit: int, used: int = 0, cached: int = 0) -> Path:
    """Lay out a control group of the first version; used and cached in megabytes."""
    (folder / "memory").mkdir()
    (folder / "memory" / "memory.limit_in_bytes").write_text(f"{limit}\n")
    (folder / "memory" / "memory.usage_in_bytes").write_text(f"{used * MEGABYTE}\n")
    counts = f"inactive_file 1\ntotal_inactive_file {cached * MEGABYTE}\ntotal_active_file 0\n"
    (folder / "memory" / "memory.stat").write_text(counts)
    return folder


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A machine with 1,000 MB to spare."""
    path = tmp_path / "meminfo"
    path.write_text(MACHINE)
    return path


@pytest.mark.parametrize(("limit", "expected"), [("536870912", 512 * MEGABYTE), ("max", None)])
def test_limit_of_the_second_version(tmp_path: Path, limit: str, expected: int | None) -> None:
    """Given memory.max with a number or the word max -> that many bytes, or no limit."""
    assert memory.limit_bytes(second_version(tmp_path, limit)) == expected


@pytest.mark.parametrize(("limit", "expected"), [(512 * MEGABYTE, 512 * MEGABYTE), (9223372036854771712, None)])
def test_limit_of_the_first_version(tmp_path: Path, limit: int, expected: int | None) -> None:
    """Given limit_in_bytes with a number or the largest there is -> that many bytes, or no limit."""
    assert memory.limit_bytes(first_version(tmp_path, limit)) == expected


@pytest.mark.parametrize(
    ("limit", "used", "cached", "expected"),
    [("536870912", 300, 0, 212), ("536870912", 500, 200, 212), ("4294967296", 10, 0, 1000), ("1048576", 9, 0, 0)],
)
def test_available_is_the_lesser_and_cached_files_are_free(
    tmp_path: Path, machine: Path, limit: str, used: int, cached: int, expected: int
) -> None:
    """Given a group's limit and use, cache in it, a limit above the machine's, one passed -> what is left, in MB."""
    group = second_version(tmp_path, limit, used, cached)
    assert memory.available_bytes(group, machine) == expected * MEGABYTE


def test_available_in_the_first_version(tmp_path: Path, machine: Path) -> None:
    """Given 512 MB of which 400 are used, 100 of those for cached files -> 212 MB."""
    group = first_version(tmp_path, 512 * MEGABYTE, 400, 100)
    assert memory.available_bytes(group, machine) == 212 * MEGABYTE


def test_without_control_groups_the_machine_counts(tmp_path: Path, machine: Path) -> None:
    """Given no control group, or one without a limit -> no limit, and what the machine has."""
    assert memory.limit_bytes(tmp_path / "absent") is None
    assert memory.available_bytes(tmp_path / "absent", machine) == 1000 * MEGABYTE
    assert memory.available_bytes(second_version(tmp_path, "max"), machine) == 1000 * MEGABYTE


def test_this_machine_has_some() -> None:
    """Given this machine -> some memory can be had, and less than a petabyte."""
    assert 0 < memory.available_bytes() < 2**50


def test_trim_heap_returns_freed_memory() -> None:
    """Given 64 MB in small blocks, all freed but the last -> after trim_heap the process no longer holds them."""
    memory.trim_heap()
    before = memory.resident_bytes()
    pieces = [np.ones(8 * 1024, np.uint8) for _ in range(8 * 1024)]
    held = memory.resident_bytes()
    last = pieces.pop()
    pieces.clear()
    memory.trim_heap()
    assert held - before > 50 * MEGABYTE
    assert memory.resident_bytes() - before < 20 * MEGABYTE
    assert last.all()


KEEP = """
import threading
import numpy as np
from image_classifier import PROGRAM
from image_classifier.resources import memory
{first}
def work():
    for _ in range(2):
        np.ones(31 << 20, np.uint8)
        memory.trim_heap()
    print(memory.resident_bytes() - before)
memory.trim_heap()
before = memory.resident_bytes()
thread = threading.Thread(target=work)
thread.start()
thread.join()
"""


@pytest.mark.parametrize(("first", "kept"), [("", True), ("memory.return_large_blocks()", False)])
def test_large_blocks_are_returned_when_they_are_freed(first: str, kept: bool) -> None:
    """Given 31 MB that a thread frees twice -> the C library keeps them unless it is configured to return them."""
    environment = {**os.environ, "PYTHONPATH": str(PROGRAM)}
    command = [sys.executable, "-c", KEEP.format(first=first)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert (int(done.stdout) > 20 * MEGABYTE) is kept
