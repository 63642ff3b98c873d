"""The documents as a whole: every page can be found, every link leads somewhere, every file that is named exists."""

import re
from pathlib import Path

import pytest

from tests.repository import links
from tests.repository.faults_page import existing_tests
from tests.repository.project import ROOT, tracked_files

DOCS = ROOT / "docs"
INDEX = DOCS / "README.md"
PAGES = [path for path in tracked_files() if path.suffix == ".md"]
PROGRAM = ROOT / "container" / "image_classifier"


def test_every_page_is_in_the_index() -> None:
    """Given the pages below docs/ -> the index itself links to each of them."""
    listed = {target for target, _ in links.links(INDEX)}
    pages = {path for path in PAGES if path.is_relative_to(DOCS)} - {INDEX}
    assert sorted(str(path.relative_to(ROOT)) for path in pages - listed) == []


def test_every_page_is_reachable_from_the_readme() -> None:
    """Given the pages of the project -> links lead from the README to each of them."""
    assert sorted(str(path) for path in set(PAGES) - links.reachable(ROOT / "README.md")) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_files_and_headings(page: Path) -> None:
    """Given a page -> each relative link leads to a file that exists, and to a heading of it."""
    assert links.broken(page) == []


def test_broken_links_are_found(tmp_path: Path) -> None:
    """Given links to a missing file, a missing heading and an existing one -> the first two are found."""
    page = tmp_path / "page.md"
    page.write_text("# One, two `three`\n\n[a](gone.md) [b](#four) [c](#one-two-three) [d](https://example.com)\n")
    assert links.broken(page) == [f"{tmp_path / 'gone.md'}#", f"{page}#four"]


def test_commands_page_names_every_command() -> None:
    """Given each file in scripts/ -> docs/reference/commands.md names it."""
    page = (DOCS / "reference" / "commands.md").read_text(encoding="utf-8")
    names = sorted(path.name for path in (ROOT / "scripts").iterdir() if path.is_file())
    assert [name for name in names if f"scripts/{name}" not in page] == []


def test_finding_your_way_names_files_that_exist() -> None:
    """Given docs/finding-your-way.md -> thirty-six questions, each with one or two files, all of which exist."""
    text = (DOCS / "finding-your-way.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \| .+\? \| (.+) \|$", text, re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(1, 37))
    named = {number: re.findall(r"`([^`]+)`", files) for number, files in rows}
    assert all(1 <= len(files) <= 2 for files in named.values())
    assert [name for files in named.values() for name in files if not _exists(name)] == []


def _exists(name: str) -> bool:
    base = ROOT if name.startswith(("scripts/", "tests/", "docker/")) else PROGRAM
    return (base / name).is_file()


def test_architecture_names_packages_that_exist() -> None:
    """Given the drawings of docs/architecture.md -> each part that is named like a package of the program is one."""
    text = (DOCS / "architecture.md").read_text(encoding="utf-8")
    drawings = "".join(re.findall(r"^```mermaid\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))
    named = set(re.findall(r'"((?:training|serving|inference|connections)/\w+)', drawings))
    assert len(named) >= 8
    places = (PROGRAM, PROGRAM / "serving")
    assert [
        one
        for one in sorted(named)
        if not any((place / one).is_dir() or (place / f"{one}.py").is_file() for place in places)
    ] == []


def test_changelog_keeps_to_its_rules() -> None:
    """Given CHANGELOG.md -> versions with a date below Unreleased, and entries under the six agreed headings."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert versions[0] == "Unreleased"
    assert [one for one in versions[1:] if not re.fullmatch(r"\d+\.\d+\.\d+ - \d{4}-\d{2}-\d{2}", one)] == []
    kinds = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert set(re.findall(r"^### (.+)$", text, re.MULTILINE)) <= kinds


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_named_tests_exist(page: Path) -> None:
    """Given a page -> each test that it names, as file::function, exists."""
    named = set(re.findall(r"\btest_\w+\.py::test_\w+", page.read_text(encoding="utf-8")))
    assert sorted(named - existing_tests()) == []


@pytest.mark.parametrize("note", sorted((DOCS / "decisions").glob("*.md")), ids=lambda path: path.name[:4])
def test_decision_notes_open_with_context_decision_consequences(note: Path) -> None:
    """Given a decision note -> a numbered title, then context, decision and consequences, before anything else."""
    text = note.read_text(encoding="utf-8")
    assert re.match(rf"# {int(note.name[:4])}\. \w", text)
    assert re.findall(r"^\*\*(.+?)\.\*\*", text, re.MULTILINE)[:3] == ["Context", "Decision", "Consequences"]
