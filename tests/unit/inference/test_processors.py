"""How many CPUs a process may use."""

import os
from pathlib import Path

import pytest

from image_classifier.inference.processors import available_processors

HERE = len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("content", "expected"),
    [("100000 100000\n", 1), ("50000 100000\n", 1), ("max 100000\n", HERE), ("99900000 100000\n", HERE)],
)
def test_quota_of_the_second_version(tmp_path: Path, content: str, expected: int) -> None:
    """cpu.max of one CPU, half of one, none, more than there are -> one, one, all, all."""
    (tmp_path / "cpu.max").write_text(content)
    assert available_processors(tmp_path) == expected


@pytest.mark.parametrize(("quota", "expected"), [("100000", 1), ("-1", HERE), ("rubbish", HERE)])
def test_quota_of_the_first_version(tmp_path: Path, quota: str, expected: int) -> None:
    """cpu.cfs_quota_us of one CPU, without a limit, unreadable -> one, all, all."""
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text(quota)
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000")
    assert available_processors(tmp_path) == expected


def test_no_control_group(tmp_path: Path) -> None:
    """A machine without control groups -> all CPUs that the scheduler allows."""
    assert available_processors(tmp_path / "absent") == HERE
