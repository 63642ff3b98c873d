import ast
import re

import pytest

from tests.repository.project import ROOT, python_files

PAGE = ROOT / "docs" / "reference" / "faults.md"
NUMBERS = [*range(1, 18), *range(28, 31)]
"""Of what can happen to a server. The others are about training."""


def named_in_rows(text: str) -> dict[int, list[str]]:
    """Return the tests that each row of the table names, `file::function`."""
    rows = re.findall(r"^\| (\d+) \|(.*)$", text, re.MULTILINE)
    return {int(number): re.findall(r"`(test_\w+\.py::test_\w+)`", rest) for number, rest in rows}


def existing_tests() -> set[str]:
    """Return every test function of this repository, `file::function`; file names are unique."""
    return {
        f"{path.name}::{node.name}"
        for path in python_files("tests")
        if path.name.startswith("test_")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def test_every_fault_is_in_the_table_in_order() -> None:
    """Given the page -> it has the numbers of all faults of serving, once each."""
    text = PAGE.read_text(encoding="utf-8")
    assert [int(number) for number in re.findall(r"^\| (\d+) \|", text, re.MULTILINE)] == NUMBERS


@pytest.mark.parametrize("number", NUMBERS)
def test_every_fault_has_tests_that_exist(number: int) -> None:
    """Given a row of the page -> it names at least one test, and each that it names exists."""
    named = named_in_rows(PAGE.read_text(encoding="utf-8"))[number]
    assert named
    assert set(named) - existing_tests() == set()


def test_a_test_that_is_gone_is_noticed() -> None:
    """Given a row with a test that there is none of -> it is not among those that exist."""
    named = named_in_rows("| 7 | fault | behaviour | `test_gone.py::test_of_old` |\n")
    assert named == {7: ["test_gone.py::test_of_old"]}
    assert not set(named[7]) & existing_tests()
