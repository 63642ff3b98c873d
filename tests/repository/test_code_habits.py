import ast
import functools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.repository.project import ROOT, python_files

LONGEST_FUNCTION = 60
LONGEST_MODULE = 300
EMPTY_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "base"}


class Function(NamedTuple):
    """What the checks below have to know of a function."""

    name: str
    length: int
    """In lines."""
    docstring: str


@functools.cache
def functions(path: Path) -> tuple[Function, ...]:
    """Return every function of a module."""
    return tuple(functions_of(path.read_text(encoding="utf-8")))


def functions_of(source: str) -> Iterator[Function]:
    """Yield every function of a source text."""
    for node in statements(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            yield Function(node.name, length, ast.get_docstring(node) or "")


def statements(node: ast.AST) -> Iterator[ast.stmt]:
    """Yield the statements below a node; expressions, which are most of a tree, hold none."""
    for field in ("body", "orelse", "finalbody", "handlers", "cases"):
        # A lambda and a conditional expression have one node there, not a list.
        below = getattr(node, field, ())
        for one in below if isinstance(below, list) else ():
            if isinstance(one, ast.stmt):
                yield one
            yield from statements(one)


def sentence_faults(function: Function) -> list[str]:
    """Say what a test's docstring lacks to be one sentence."""
    text = function.docstring
    faults = {"no sentence": not text, "no full stop": not text.endswith("."), "more than one line": "\n" in text}
    return [fault for fault, is_so in faults.items() if is_so]


def test_every_test_has_its_sentence() -> None:
    """Given every test function -> its docstring is one sentence."""
    found = [
        f"{path.relative_to(ROOT)}::{function.name}: {', '.join(faults)}"
        for path in python_files("tests")
        if path.name.startswith("test_")
        for function in functions(path)
        if function.name.startswith("test_") and (faults := sentence_faults(function))
    ]
    assert found == []


def test_a_test_without_a_sentence_is_found() -> None:
    """Given a function without a docstring -> the check above names what it lacks."""
    [function] = functions_of("def test_it(): pass")
    assert "no sentence" in sentence_faults(function)


NESTED = """
class A:
    def method(self):
        for _ in range(2):
            try:
                def tried(): pass
            except ValueError:
                async def handled(): pass
            else:
                def otherwise(): pass
            finally:
                def finally_(): pass
match 1:
    case 1:
        with open("x"):
            def matched(): pass
"""


def test_functions_are_found_wherever_they_are() -> None:
    """Given functions in a class, a function and each kind of block -> all of them, with their lengths."""
    found = {function.name: function.length for function in functions_of(NESTED)}
    names = ("tried", "handled", "otherwise", "finally_", "matched")
    assert found == {"method": 10, **dict.fromkeys(names, 1)}


def test_functions_and_modules_fit_on_a_screen_or_few() -> None:
    """Given the program -> no function is longer than 60 lines and no module longer than 300."""
    found = []
    for path in python_files("container", "scripts", "tests", "docker"):
        lines = path.read_text(encoding="utf-8").count("\n")
        if lines > LONGEST_MODULE:
            found.append(f"{path.relative_to(ROOT)}: {lines} lines")
        for function in functions(path):
            if function.length > LONGEST_FUNCTION:
                found.append(f"{path.relative_to(ROOT)}::{function.name}: {function.length} lines")
    assert found == []


def test_modules_are_named_after_what_they_do() -> None:
    """Given the program's modules -> none has a name such as utils."""
    assert [path.name for path in python_files("container") if path.stem in EMPTY_NAMES] == []


def test_contract_is_standard_library_alone() -> None:
    """Given the contract package -> it imports the standard library and the program only."""
    allowed = {*sys.stdlib_module_names, "image_classifier"}  # which of its layers, import-linter says
    found = []
    for path in (ROOT / "container" / "image_classifier" / "contract").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found += [f"{path.name}: {name}" for name in names if name.split(".")[0] not in allowed]
    assert found == []
