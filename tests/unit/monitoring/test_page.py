"""The drift page: well formed in every state, without scripts, and the same figures as drift.json."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from image_classifier.evaluation.drift import baseline
from image_classifier.evaluation.drift.baseline import Baseline
from image_classifier.evaluation.drift.comparison import compare
from image_classifier.evaluation.drift.verdict import conclude
from image_classifier.evaluation.evidence import VALIDATION, Evidence, Split
from image_classifier.monitoring import analysis, page
from image_classifier.monitoring.analysis import Analysis
from image_classifier.monitoring.captures import Reading, Window
from tests.support import captured, monitored
from tests.support.html_page import Page
from tests.unit.evaluation.drift import observed

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
HOSTILE = "<script>alert(1)</script>"


def analysed(folder: Path, count: int, light: float = 1.0) -> Analysis:
    """Analyse a period of captured requests."""
    captured.write(folder, monitored.lines(2, count, light))
    return analysis.analyse(folder, monitored.known(), Window(), 2000, NOW)


def of_many_classes(classes: int) -> Analysis:
    """Analyse synthetic observations of a model with many classes and embeddings."""
    random = np.random.default_rng(0)
    names = tuple(f"class {number} {'x' * 60}" for number in range(classes))
    labels = np.repeat(np.arange(classes), 4)
    probabilities = (np.eye(classes)[labels] * 0.9 + 0.1 / classes).astype(np.float32)
    features = random.normal(size=(len(labels), 24)).astype(np.float32)
    files = tuple(map(str, range(len(labels))))
    known: Baseline = baseline.build(
        Evidence(names, Split(VALIDATION, Path("x"), files, labels, probabilities, features)),
        {VALIDATION: observed.traits(random, len(labels))},
    )
    seen = observed.production(random, 300)
    profile = replace(seen, predicted=random.integers(0, classes // 2, 300)).profile(names)
    found = compare(known, profile, features + np.float32(1))
    return Analysis(
        known, profile, found, conclude(found), Reading(), Window(NOW, NOW), NOW, names={"Endpoint": HOSTILE}
    )


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The page in each of its states."""
    folder = tmp_path_factory.mktemp("captured")
    return {
        "same": page.build(analysed(folder / "same", 120)),
        "darker": page.build(analysed(folder / "darker", 120, 0.6)),
        "few": page.build(analysed(folder / "few", 20)),
        "nothing": page.build(analysed(folder / "nothing", 0)),
        "many": page.build(of_many_classes(200)),
    }


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
    for state in ("few", "nothing"):
        assert "It is unknown whether production is different." in pages[state]
        assert Page(pages[state]).all("table") == []


def test_names_are_escaped_and_long_lists_are_cut(pages: dict[str, str]) -> None:
    """Given a hostile endpoint name and 200 classes -> text, and the 20 classes that changed most."""
    assert HOSTILE not in pages["many"]
    assert "&lt;script&gt;" in pages["many"]
    assert "180 further classes changed less" in pages["many"]
    assert "image content (embeddings)" in pages["many"]
