"""Waiting for a page in Chromium: what does not exist yet is waited for, what is not JavaScript fails at once."""

from collections.abc import Iterator

import pytest

from tests.image import chromium
from tests.image.chromium import ScriptError, Tab

PAGE = "data:text/html,<title>empty</title>"


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    """An empty page."""
    with chromium.opened(PAGE, tmp_path_factory.mktemp("browser")) as opened:
        yield opened


def test_exception_of_a_page_that_loads_is_not_yet(tab: Tab) -> None:
    """Given an object that appears later -> what throws until then is waited for, also over a navigation."""
    tab.evaluate("setTimeout(() => { window.later = {ready: true}; }, 300); 0")
    tab.wait_for("later.ready")
    tab.call("Page.navigate", url="data:text/html,<p class=here>two</p>")
    tab.wait_for("document.querySelector('.here').textContent === 'two'")
    assert tab.evaluate("typeof later") == "undefined"


def test_mistake_is_told(tab: Tab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given no JavaScript -> told at once; given what always throws -> told with the exception when time is over."""
    with pytest.raises(ScriptError, match="SyntaxError") as told:
        tab.wait_for("document.(")
    assert "still not" not in str(told.value)
    monkeypatch.setattr(chromium, "SECONDS", 0.2)
    with pytest.raises(AssertionError, match=r"still not: missing\.thing; .*missing is not defined"):
        tab.wait_for("missing.thing")
