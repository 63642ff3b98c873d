import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.benchmarks.taken_out import __main__ as command
from tests.benchmarks.taken_out import trial
from tests.benchmarks.taken_out.edit import Edit
from tests.benchmarks.taken_out.table import EDITS
from tests.benchmarks.taken_out.trial import Outcome, Ran
from tests.repository.faults_page import NUMBERS, existing_tests, named_in_rows, written_by_hand
from tests.repository.project import ROOT
from tests.support.waiting import wait_until

REJECTION = Edit(1, "the rejection", "app.py", "if not body:", "if False:", ("test_app.py::test_empty",))


def name(edit: Edit) -> str:
    """Return what a parameter is called."""
    return f"{edit.fault} {edit.what}"


@pytest.mark.parametrize("edit", EDITS, ids=name)
def test_every_passage_is_there_once(edit: Edit) -> None:
    """Given an edit -> what it replaces is in its file once, and the file is Python with another meaning afterwards."""
    text = edit.path(ROOT).read_text(encoding="utf-8")
    assert compile(edit.applied(text), edit.file, "exec") != compile(text, edit.file, "exec")


@pytest.mark.parametrize("edit", EDITS, ids=name)
def test_every_edit_has_tests_of_its_row(edit: Edit) -> None:
    """Given an edit -> it has tests, which exist, and which the fault's row on the page names."""
    functions = {test.partition("[")[0] for test in edit.tests}
    assert functions
    assert functions <= existing_tests()
    assert functions <= set(named_in_rows(written_by_hand())[edit.fault])


def test_every_fault_has_an_edit() -> None:
    """Given the table -> each fault of the page is in it, in the page's order."""
    assert list(dict.fromkeys(edit.fault for edit in EDITS)) == NUMBERS


def test_passage_that_is_gone_or_there_twice_is_told() -> None:
    """Given a file that has changed since -> an error with the number of places."""
    for text, count in (("", 0), (f"{REJECTION.old}\n" * 2, 2)):
        with pytest.raises(ValueError, match=f"occurs {count} times in app.py"):
            REJECTION.applied(text)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project of one file."""
    (tmp_path / "container").mkdir()
    (tmp_path / "container" / REJECTION.file).write_text("if not body:\n    reject()\n")
    return tmp_path


def attempt(edit: Edit, root: Path) -> Outcome:
    """Try an edit; a stand-in for pytest passes tests as long as the file rejects, and those named blind always."""

    def run(tests: Sequence[str]) -> Ran:
        rejects = REJECTION.old in (root / "container" / REJECTION.file).read_text()
        return Ran(True, "") if rejects or "blind" in tests[0] else Ran(False, f"FAILED {tests[0]}")

    return trial.attempt(edit, root, run)


def test_what_is_taken_out_is_noticed_and_put_back(root: Path) -> None:
    """Given an edit and a test that sees it -> noticed, and the file is as it was."""
    before = (root / "container" / REJECTION.file).read_text()
    found = attempt(REJECTION, root)
    assert found.noticed
    assert "noticed\n     FAILED test_app.py::test_empty" in command.said(found)
    assert (root / "container" / REJECTION.file).read_text() == before


@pytest.mark.parametrize(
    "edit",
    [
        replace(REJECTION, new=REJECTION.old),
        replace(REJECTION, tests=("test_app.py::test_blind",)),
        replace(REJECTION, tests=("test_app.py::test_empty", "test_app.py::test_blind")),
        replace(REJECTION, tests=()),
    ],
    ids=["an edit that changes nothing", "a blind test", "one blind test of two", "no test"],
)
def test_what_no_test_sees_is_not_noticed(root: Path, edit: Edit) -> None:
    """Given an edit without effect, tests that do not see it, none -> not noticed, said so and counted so."""
    found = attempt(edit, root)
    assert not found.noticed
    assert "NOT NOTICED" in command.said(found)
    assert command.verdict([found, attempt(REJECTION, root)]) == "1 of 2 taken-out behaviours were noticed"
    assert "| 1 | the rejection | **nothing** |" in command.block([found])


def test_unchanged_program_has_to_pass() -> None:
    """Given tests of two files, one of which fails before anything is taken out -> told, each file asked once."""
    asked: list[list[str]] = []

    def run(tests: Sequence[str]) -> Ran:
        asked.append(list(tests))
        return Ran("app" not in tests[0], "FAILED")

    other = replace(REJECTION, tests=("test_front.py::test_one", "test_front.py::test_two"))
    assert command.failing_already([REJECTION, other, other], run) == ["FAILED"]
    assert asked == [[*REJECTION.tests], [*other.tests]]


def test_what_pytest_says_is_read() -> None:
    """Given pytest's exit codes -> passed, failed with its line; anything else is not a result."""
    line = "FAILED tests/a.py::b - assert 1 == 2"
    assert trial.read(0, "1 passed") == Ran(True, "")
    assert trial.read(1, f"ERROR in its log\n{line}\n1 failed") == Ran(False, line)
    for code in (2, 4, 5):
        with pytest.raises(RuntimeError, match="no tests ran"):
            trial.read(code, "no tests ran")


def test_what_hangs_is_ended_with_all_its_processes(tmp_path: Path) -> None:
    """Given a command whose child waits for ever -> ended after its time, the child too; another exit is reported."""
    assert trial.bounded(["sh", "-c", "echo done; exit 1"], tmp_path, os.environ, 60) == (1, "done\n")
    command_line = ["sh", "-c", "sleep 60 & echo $! > child; wait"]
    assert trial.bounded(command_line, tmp_path, os.environ, 0.5) is None
    child = Path("/proc") / (tmp_path / "child").read_text().strip()
    wait_until(lambda: not child.exists() or ") Z " in (child / "stat").read_text(), 5, "the child is gone")
