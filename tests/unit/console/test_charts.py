import re
from xml.etree import ElementTree

import pytest

from image_classifier.console import charts


def numbers(svg: str, attribute: str) -> list[float]:
    """Return the numbers of an attribute of all elements."""
    return [float(found) for found in re.findall(rf' {attribute}="([-0-9.]+)"', svg)]


def test_chart_says_what_it_shows() -> None:
    """Given two lines -> well-formed SVG with both, their names at their ends, and the values in its label."""
    series = {"training": [(1, 0.5), (2, 0.75)], "validation": [(1, 0.4), (2, 0.6)]}
    svg = str(charts.lines("Accuracy by epoch", series, share=True))
    ElementTree.fromstring(svg)
    assert svg.count("<polyline") == 2
    assert ">training</text>" in svg
    assert 'aria-label="Accuracy by epoch: training from 50.0 % to 75.0 %; validation from 40.0 % to 60.0 %."' in svg
    assert "style=" not in svg


@pytest.mark.parametrize(
    "points",
    [
        [(1, 0.5)],
        [(1, 0.5), (2, 0.5)],
        [(1, 0.0), (2, 0.0)],
        [(1, 1e-9), (200, 1e9)],
        [(1, -3.0), (2, 5.0), (3, float("nan"))],
        [(number, number / 200) for number in range(1, 201)],
    ],
)
def test_every_line_stays_within_its_chart(points: list[tuple[float, float]]) -> None:
    """Given one point, equal values, extreme ones, NaN or 200 epochs -> all coordinates lie in the view."""
    svg = str(charts.lines("Loss", {"training": points}))
    ElementTree.fromstring(svg)
    places = [float(number) for found in re.findall(r'points="([^"]+)"', svg) for number in re.split("[ ,]", found)]
    assert all(0 <= number <= 440 for number in [*places, *numbers(svg, "x"), *numbers(svg, "y")])


def test_names_of_close_lines_keep_a_distance() -> None:
    """Given three lines that end at the same value at the bottom -> their names do not overlap and stay in the view."""
    series = {name: [(1, 1.0), (2, 0.0)] for name in ("a", "b", "c")}
    svg = str(charts.lines("Loss", series))
    heights = sorted(float(found) for found in re.findall(r'class="l\d" x="[^"]+" y="([^"]+)"', svg))
    assert heights[1] - heights[0] >= 12
    assert heights[2] - heights[1] >= 12
    assert heights[2] <= 200


def test_nothing_to_show_is_no_chart() -> None:
    """Given no points, or none that is a number -> an empty text."""
    assert charts.lines("Loss", {}) == ""
    assert charts.lines("Loss", {"training": [(1, float("nan"))]}) == ""


def test_names_cannot_become_markup() -> None:
    """Given a name with markup -> it is escaped."""
    assert "<script>" not in charts.lines("<script>", {"<script>": [(1, 1.0)]})


def test_accuracy_that_does_not_change_stays_below_one_hundred_percent() -> None:
    """Given an accuracy of 1 in every epoch -> the chart ends at 100 %, and its lowest mark is below."""
    svg = str(charts.lines("Accuracy", {"validation": [(1, 1.0), (2, 1.0)]}, share=True))
    marks = [float(found) for found in re.findall(r">([0-9.]+) %</text>", svg)]
    assert max(marks) == 100
    assert min(marks) < 100
