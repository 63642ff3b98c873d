"""The drift page: well formed in every state, without scripts, and the same figures as drift.json."""

import pytest

from image_classifier.evaluation.drift.comparison import DEFAULT
from image_classifier.monitoring import page
from tests.support import drift_analyses
from tests.support.drift_analyses import HOSTILE
from tests.support.html_page import Page


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The page in each of its states."""
    analyses = drift_analyses.states(tmp_path_factory.mktemp("captured"))
    return {state: page.build(found) for state, found in analyses.items()}


@pytest.mark.parametrize("state", ["same", "darker", "few", "nothing", "many"])
def test_page_is_well_formed_and_holds_everything(pages: dict[str, str], state: str) -> None:
    """Given each state -> every element closed, no script, no address but anchors that exist, charts with a text."""
    found = Page(pages[state])
    assert found.faults == []
    assert found.all("script") == []
    assert found.fragments - set(found.ids) == set()
    assert [
        one for one in found.all("svg") if "role" in one.attributes and len(one.attributes["aria-label"]) < 20
    ] == []
    assert len(pages[state]) < 500_000


def test_page_says_what_it_found(pages: dict[str, str]) -> None:
    """Given no drift, drift, and too few images -> the verdict of each, and no table without a comparison."""
    assert "Production looks like the training data." in pages["same"]
    assert "drifted</span>" not in pages["same"]
    assert "Production differs from the training data in" in pages["darker"]
    assert "drifted</span>" in pages["darker"]
    assert f"false discovery rate {DEFAULT.rate:.1%}".replace("%", "\N{NO-BREAK SPACE}%") in pages["darker"]
    for state in ("few", "nothing"):
        assert "It is unknown whether production is different." in pages[state]
        assert Page(pages[state]).all("table") == []


def test_names_are_escaped_and_long_lists_are_cut(pages: dict[str, str]) -> None:
    """Given a hostile endpoint name and 200 classes -> text, and the 20 classes that changed most."""
    assert HOSTILE not in pages["many"]
    assert "&lt;script&gt;" in pages["many"]
    assert "180 further classes changed less" in pages["many"]
    assert "image content (embeddings)" in pages["many"]
