"""What the tests themselves rely on: checks beside them, things made once, representatives."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.repository.project import ROOT
from tests.support.made_once import made_once
from tests.support.representatives import some_of

PLUGIN = """
from pathlib import Path
from tests.support.checks_beside import ChecksBeside

def pytest_configure(config):
    config.pluginmanager.register(ChecksBeside(Path({command!r})))
"""


@pytest.mark.parametrize("exit_code", [0, 1])
def test_failed_checks_fail_the_run_and_are_shown_above_the_last_line(tmp_path: Path, exit_code: int) -> None:
    """Given tests that pass beside checks that end with 0 or 1 -> that exit code, their words, then pytest's line."""
    command = tmp_path / "check"
    command.write_text(f"#!/bin/sh\necho said by the checks\nexit {exit_code}\n")
    command.chmod(0o755)
    (tmp_path / "conftest.py").write_text(PLUGIN.format(command=str(command)))
    (tmp_path / "test_one.py").write_text("def test_one():\n    pass\n")
    words = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:cov", str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == exit_code
    lines = done.stdout.splitlines()
    assert "1 passed" in lines[-1]
    assert "said by the checks" in lines
    assert ("check failed" in done.stdout) is (exit_code == 1)


def test_things_are_made_once_and_again_after_a_failure(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Given a maker that fails at first -> its part is removed, the next one makes it, and it is not made again."""
    made: list[bool] = []

    def make(folder: Path) -> None:
        (folder / f"{len(made)}").touch()
        made.append(True)
        if len(made) == 1:
            raise RuntimeError

    with pytest.raises(RuntimeError):
        made_once(tmp_path_factory, "thing", make, key=os.getpid())
    for _ in range(2):
        folder = made_once(tmp_path_factory, "thing", make, key=os.getpid())
        assert [path.name for path in folder.iterdir()] == ["1"]
    assert made_once(tmp_path_factory, "thing", make, key=f"not {os.getpid()}") != folder
    assert len(made) == 3


def test_cases_beside_the_representatives_are_marked() -> None:
    """Given three cases and one that represents them -> the other two have the marker, a tuple is several arguments."""
    found = some_of(["a", "b", ("c", 1)], ["b"])
    assert [[mark.name for mark in case.marks] for case in found] == [["every"], [], ["every"]]
    assert [case.values for case in found] == [("a",), ("b",), ("c", 1)]
