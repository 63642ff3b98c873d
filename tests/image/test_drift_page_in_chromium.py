"""The drift report as a browser shows it: valid and accessible in every state, light and dark, phone and desk."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from image_classifier.monitoring import page
from tests.image import chromium, page_tools
from tests.image.chromium import Tab
from tests.support import drift_analyses


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The page in each of its states."""
    folder = tmp_path_factory.mktemp("drift")
    paths = {}
    for state, found in drift_analyses.states(folder / "captured").items():
        paths[state] = folder / f"{state}.html"
        paths[state].write_text(page.build(found), encoding="utf-8")
    return paths


@pytest.fixture(params=["darker", "few", "many"])
def tab(request: pytest.FixtureRequest, pages: dict[str, Path], tmp_path: Path) -> Iterator[Tab]:
    """A browser that shows one of them."""
    with chromium.opened(pages[request.param].as_uri(), tmp_path) as opened:
        yield opened


def test_markup_is_valid(pages: dict[str, Path]) -> None:
    """Given each state -> html-validate finds nothing."""
    assert page_tools.markup_errors(*pages.values()) == []


def test_page_is_accessible_and_fits_the_screen(tab: Tab) -> None:
    """Given a phone and a desk, light and dark -> axe-core finds nothing, and the page does not scroll sideways."""
    for width in (360, 1280):
        for scheme in ("light", "dark"):
            tab.look(width, scheme)
            assert page_tools.accessibility_errors(tab) == []
            assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
