"""Charts as SVG."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from image_classifier import PROGRAM
from image_classifier.evaluation import calibration, charts
from image_classifier.evaluation.evidence import LearningPoint
from image_classifier.evaluation.statistics import Proportion
from tests.support import evaluations

POINTS = [LearningPoint(0.5, 500, Proportion(80, 100)), LearningPoint(1.0, 1000, Proportion(86, 100))]


def reliability() -> str:
    """Draw the diagram of a synthetic split."""
    split = evaluations.split(Path(), "test", ("a", "b", "c"), 300)
    return charts.reliability(calibration.measure(split))


CHARTS: dict[str, Callable[[], str]] = {
    "reliability": reliability,
    "loss": lambda: charts.by_epoch(evaluations.history(12), "loss", 7),
    "accuracy": lambda: charts.by_epoch(evaluations.history(12), "accuracy", 7, share=True),
    "learning": lambda: charts.learning(POINTS),
}


@pytest.mark.parametrize("name", CHARTS)
def test_chart_serves_both_themes(name: str) -> None:
    """Given a chart -> an image with a description, text as text, and no colour or font but the stylesheet's."""
    svg = CHARTS[name]()
    root = ElementTree.fromstring(svg)
    assert root.get("role") == "img"
    assert len(root.get("aria-label", "")) > 40
    assert re.findall(r"#[0-9a-f]{6}", svg) == []
    assert "var(--" in svg
    assert "var(--font)" in svg
    assert "DejaVu" not in svg
    assert len(re.findall(r"<text", svg)) > 5
    assert "metadata" not in svg


def test_charts_of_one_page_share_no_id() -> None:
    """Given all charts -> their ids differ, since they lie in one page, and each reference has its target."""
    found = [set(re.findall(r' id="([^"]+)"', make())) for make in CHARTS.values()]
    assert len(set().union(*found)) == sum(map(len, found))
    for make in CHARTS.values():
        svg = make()
        assert set(re.findall(r'(?:href="#|url\(#)([\w-]+)', svg)) <= set(re.findall(r' id="([^"]+)"', svg))


def test_chart_is_reproducible() -> None:
    """Given the same numbers -> the same text, byte by byte."""
    assert charts.learning(POINTS) == charts.learning(POINTS)


def test_description_has_the_numbers() -> None:
    """Given learning points and a history -> the description says them."""
    assert "80.0 % with 500 images, 86.0 % with 1,000 images" in charts.learning(POINTS)
    assert "the model is that of epoch 8" in charts.by_epoch(evaluations.history(12), "loss", 7)


def test_history_without_validation_draws_training_alone() -> None:
    """Given a history without validation metrics -> the chart has the training line alone."""
    history = [{"loss": 1.0}, {"loss": 0.5}]
    svg = charts.by_epoch(history, "loss")
    assert "training from 1 to 0.5" in svg
    assert "validation" not in svg


def test_matplotlib_is_imported_when_a_chart_is_drawn() -> None:
    """Given the modules of a report -> importing them loads neither matplotlib nor Jinja2."""
    code = (
        "import sys, image_classifier.evaluation.report.page, image_classifier.evaluation.verdict\n"
        "print([name for name in ('matplotlib', 'jinja2', 'pandas', 'sklearn', 'tensorflow') if name in sys.modules])"
    )
    environment = {**os.environ, "PYTHONPATH": str(PROGRAM)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.every
def test_slow_list_of_fonts_is_no_warning(tmp_path: Path) -> None:
    """Given a machine on which the list of fonts takes too long -> nothing on standard error; without us, a warning."""
    slow = "import threading; threading.Timer = lambda seconds, warn: (warn(), threading.Thread())[1]\n"
    slow += "threading.Thread.cancel = lambda thread: None\n"
    variables = {"PYTHONPATH": str(PROGRAM), "HOME": str(tmp_path), "PATH": os.environ["PATH"]}

    def errors(code: str) -> str:
        command = [sys.executable, "-c", slow + code]
        return subprocess.run(command, env=variables, check=True, capture_output=True, text=True).stderr

    assert errors("from image_classifier.evaluation import charts; charts.import_library()") == ""
    assert "building the font cache" in errors("import matplotlib.font_manager")


@pytest.mark.every
def test_matplotlib_writes_nothing_to_the_home(tmp_path: Path) -> None:
    """Given an empty home -> importing matplotlib for a chart leaves it empty; its own import, a control, does not."""
    variables = {"PYTHONPATH": str(PROGRAM), "HOME": str(tmp_path), "PATH": os.environ["PATH"]}

    def run(code: str) -> list[Path]:
        subprocess.run([sys.executable, "-c", code], env=variables, check=True)
        return list(tmp_path.iterdir())

    assert run("from image_classifier.evaluation import charts; charts.import_library()") == []
    assert run("import matplotlib.font_manager") != []
