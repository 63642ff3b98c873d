"""SECURITY.md says what its readers look for, and names only what exists."""

import re

from tests.repository.project import ROOT

TEXT = (ROOT / "SECURITY.md").read_text(encoding="utf-8")


def test_it_says_how_to_report_what_is_supported_and_who_is_trusted() -> None:
    """Given the page -> its sections, and the warning that the check of models is a filter, not a sandbox."""
    headings = re.findall(r"^#+ (.+)$", TEXT, re.MULTILINE)
    assert {"Reporting a vulnerability", "Supported versions", "Who is trusted with what"} <= set(headings)
    assert "a model is a program" in TEXT
    assert "filter, not a sandbox" in TEXT
    assert "Nothing was released yet" in TEXT


def test_what_it_names_exists() -> None:
    """Given its links and commands -> files of the project, and commands in scripts/."""
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", TEXT)
    assert [link for link in links if not (ROOT / link).exists()] == []
    commands = set(re.findall(r"scripts/[a-z-]+", TEXT))
    assert {"scripts/audit", "scripts/build"} <= commands
    assert [command for command in commands if not (ROOT / command).is_file()] == []
