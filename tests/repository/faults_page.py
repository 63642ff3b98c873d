"""docs/reference/faults.md: which tests its rows name, and whether there are such tests."""

import ast
import functools
import re

from tests.repository.project import ROOT, python_files

PAGE = ROOT / "docs" / "reference" / "faults.md"
NUMBERS = [*range(1, 18), *range(28, 31)]
"""Of what can happen to a server. The others are about training."""
_GENERATED = "<!-- begin: taken out -->"


def written_by_hand() -> str:
    """Return the page without what is generated at its end."""
    return PAGE.read_text(encoding="utf-8").partition(_GENERATED)[0]


def named_in_rows(text: str) -> dict[int, list[str]]:
    """Return the tests that each row of the table names, `file::function`."""
    rows = re.findall(r"^\| (\d+) \|(.*)$", text, re.MULTILINE)
    return {int(number): re.findall(r"`(test_\w+\.py::test_\w+)`", rest) for number, rest in rows}


@functools.cache
def existing_tests() -> frozenset[str]:
    """Return every test function of this repository, `file::function`; file names are unique."""
    return frozenset(
        f"{path.name}::{node.name}"
        for path in python_files("tests")
        if path.name.startswith("test_")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    )
