"""Apply edits to a copy of the project: do the named tests notice the removed behaviour?"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.taken_out.edit import Edit
from tests.repository import project

_PASSED, _FAILED = 0, 1
"""pytest's exit codes; the others say that no test was carried out."""


@dataclass(frozen=True)
class Ran:
    """How a test ended."""

    passed: bool
    said: str
    """Its failure in a line, empty when it passed."""


Run = Callable[[Sequence[str]], Ran]
"""Runs tests of one file of the copy, each `file::function`, until one fails."""


@dataclass(frozen=True)
class Outcome:
    """What came of an edit."""

    edit: Edit
    failures: tuple[str, ...]
    """A line of each test that failed."""
    missed_by: tuple[str, ...]
    """Tests that passed all the same."""

    @property
    def noticed(self) -> bool:
        """Whether every test that is named failed; of none, nothing can be noticed."""
        return bool(self.failures) and not self.missed_by


def attempt(edit: Edit, root: Path, run: Run) -> Outcome:
    """Take a behaviour out of the copy in `root`, run its tests, and put the behaviour back."""
    with _changed(edit, root):
        found = {test: run([test]) for test in edit.tests}
    failures = tuple(ran.said for ran in found.values() if not ran.passed)
    return Outcome(edit, failures, tuple(test for test, ran in found.items() if ran.passed))


@contextmanager
def _changed(edit: Edit, root: Path) -> Iterator[None]:
    path = edit.path(root)
    text = path.read_text(encoding="utf-8")
    path.write_text(edit.applied(text), encoding="utf-8")
    try:
        yield
    finally:
        path.write_text(text, encoding="utf-8")


def copy_project(target: Path) -> None:
    """Copy every file that git keeps or would keep, as it is now."""
    for path in project.tracked_files():
        place = target / path.relative_to(project.ROOT)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, place)


def runner(root: Path, seconds: float) -> Run:
    """Return what runs tests of the copy in `root`; what takes longer than so many seconds a test has failed."""
    places = {path.name: path for path in (root / "tests").rglob("test_*.py")}
    environment = {
        **os.environ,
        "PYTHONPATH": str(root / "container"),
        # Bytecode is invalidated by a timestamp in seconds, within which a file here can change twice.
        "PYTHONDONTWRITEBYTECODE": "1",
        "TF_USE_LEGACY_KERAS": "1",
        "TF_CPP_MIN_LOG_LEVEL": "1",
        # Of the width depends how much of an error is in pytest's summary.
        "COLUMNS": "200",
    }

    def run(tests: Sequence[str]) -> Ran:
        chosen = [f"{places[name].relative_to(root)}::{function}" for name, function in map(_parts, tests)]
        command = [sys.executable, "-m", "pytest", "-q", "-x", "--tb=line", "-p", "no:cacheprovider", *chosen]
        done = bounded(command, root, environment, seconds * len(tests))
        return read(*done) if done else Ran(False, f"{', '.join(tests)}: not done within {seconds:g} s each")

    return run


def bounded(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], seconds: float
) -> tuple[int, str] | None:
    """Run a command and return its exit code and what it printed; None when it was ended after so many seconds."""
    # A session of its own, so that a test that hangs takes its servers along.
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
    )
    with process:
        try:
            printed, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            return None
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    return process.returncode, printed.decode(errors="replace")


def _parts(test: str) -> tuple[str, str]:
    name, _, function = test.partition("::")
    return name, function


def read(code: int, printed: str) -> Ran:
    """Make an outcome of what pytest printed.

    Raises:
        RuntimeError: No test was carried out, so nothing is known.
    """
    if code not in (_PASSED, _FAILED):
        raise RuntimeError(f"No test was carried out: {printed[-2000:]}")
    lines = [line for line in printed.splitlines() if line.startswith(("FAILED tests/", "ERROR tests/"))]
    return Ran(code == _PASSED, "" if code == _PASSED else (lines or ["failed"])[0])
