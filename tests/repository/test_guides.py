import ast
import builtins
import re

import pytest

from image_classifier.contract.metrics import definitions
from tests.support.guides import EXECUTED, GUIDES, sections

PAGES = sorted(path.name for path in GUIDES.glob("*.md"))


@pytest.mark.parametrize("page", PAGES)
def test_every_python_block_is_in_a_section_that_a_test_executes(page: str) -> None:
    """Given a guide -> its Python blocks are below the headings whose blocks are executed, each of which has one."""
    assert {heading for heading, blocks in sections(page).items() if blocks} == set(EXECUTED.get(page, ()))


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    """Given a guide -> the files of this repository that it links to exist."""
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", (GUIDES / page).read_text(encoding="utf-8"))
    assert [target for target in targets if not (GUIDES / target).exists()] == []


def unassigned(code: str) -> set[str]:
    """Return the names that a script reads at its top level or in its functions without ever assigning them."""
    tree = ast.parse(code)
    stored = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    stored |= {argument.arg for node in ast.walk(tree) if isinstance(node, ast.arguments) for argument in node.args}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            stored |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
        elif isinstance(node, ast.FunctionDef):
            stored |= {node.name, *([node.args.kwarg.arg] if node.args.kwarg else [])}
    read = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    return read - stored - set(dir(builtins))


@pytest.mark.parametrize(("page", "section"), [(page, one) for page, parts in EXECUTED.items() for one in parts])
def test_section_can_be_pasted_into_a_fresh_interpreter(page: str, section: str) -> None:
    """Given the blocks of a section from top to bottom -> every name is assigned, and this program is not imported."""
    code = "".join(sections(page)[section])
    assert unassigned(code) == set()
    assert "image_classifier" not in code


def test_missing_assignment_would_be_noticed() -> None:
    """Given a script that reads a name it never assigns -> the name is found."""
    assert unassigned("import os\nprint(os.sep, bucket)") == {"bucket"}


@pytest.mark.parametrize("page", ["boto3.md", "sdk-v2.md", "sdk-v3.md"])
def test_metrics_of_the_guides_are_declared(page: str) -> None:
    """Given the metric definitions that a guide shows -> each is one of the program's, with the same expression."""
    shown = re.findall(r'\{"Name": "(\w+)", "Regex": r"(.*)"\}', "".join(sections(page)["On SageMaker"]))
    declared = {(one["Name"], one["Regex"]) for one in definitions()}
    assert len(shown) == 2
    assert set(shown) <= declared
