import re

import pytest

from tests.guides import EXECUTED, GUIDES, sections

PAGES = sorted(path.name for path in GUIDES.glob("*.md"))


@pytest.mark.parametrize("page", PAGES)
def test_every_python_block_is_in_a_section_that_a_test_executes(page: str) -> None:
    """Given a guide -> its Python blocks stand below the headings whose blocks are run, and each of those has some."""
    assert {heading for heading, blocks in sections(page).items() if blocks} == set(EXECUTED.get(page, ()))


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    """Given a guide -> the files of this repository that it links to exist."""
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", (GUIDES / page).read_text(encoding="utf-8"))
    assert [target for target in targets if not (GUIDES / target).exists()] == []
