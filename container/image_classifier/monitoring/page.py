"""`drift.html`: the analysis as one page, in the style of a job's report. No script, no network."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from image_classifier.evaluation.drift import verdict
from image_classifier.evaluation.drift.comparison import Check, shown
from image_classifier.evaluation.drift.profile import Distribution
from image_classifier.evaluation.report import page as report
from image_classifier.monitoring.analysis import Analysis

_BINS = 24
_WIDTH, _HEIGHT = 160, 40
MOST_CLASSES = 20
"""Classes in the table of class frequencies: those whose share changed most."""


@dataclass(frozen=True)
class Row:
    """A feature in the table."""

    name: str
    check: Check
    chart: "Chart | None"
    bars: tuple["Bar", ...] = ()
    """Of a categorical feature, its values by how much their share changed."""


@dataclass(frozen=True)
class Chart:
    """Two histograms, one over the other, as points of SVG polygons."""

    baseline: str
    current: str
    low: str
    high: str
    description: str
    width: int = _WIDTH
    height: int = _HEIGHT


@dataclass(frozen=True)
class Bar:
    """One value of a categorical feature."""

    name: str
    baseline: float
    current: float


def build(analysis: Analysis) -> str:
    """Return the page."""
    shift = analysis.comparison.label_shift
    classes = sorted(shift.classes, key=lambda one: -abs(one.estimated - one.baseline)) if shift else []
    sections = {"features": "Features", "classes": "Classes", "captured": "Captured requests"}
    return report.render(
        "drift.html.j2",
        analysis=analysis,
        entries=[report.Entry(anchor, title) for anchor, title in sections.items()],
        rows=[_row(analysis, check) for check in analysis.comparison.checks],
        left_out={verdict.noun(name): reason for name, reason in analysis.comparison.left_out.items()},
        classes=classes[:MOST_CLASSES],
        further=max(len(classes) - MOST_CLASSES, 0),
    )


def _row(analysis: Analysis, check: Check) -> Row:
    before, now = analysis.baseline.profile, analysis.profile
    name = verdict.noun(check.feature)
    if check.feature in before.scalars:
        chart = _chart(name, before.scalars[check.feature], now.scalars[check.feature])
        return Row(name, check, chart)
    if check.feature in before.categories:
        return Row(name, check, None, _bars(before.categories[check.feature], now.categories[check.feature]))
    return Row(name, check, None)


def _chart(name: str, before: Distribution, now: Distribution) -> Chart:
    pooled = np.concatenate([before.values, now.values])
    low, high = np.quantile(pooled, [0.005, 0.995]).tolist()
    if low == high:
        low, high = low - 0.5, high + 0.5
    bounds = np.linspace(low, high, _BINS + 1)
    heights = [np.histogram(np.clip(one.values, low, high), bounds)[0] / len(one.values) for one in (before, now)]
    largest = max(one.max() for one in heights)
    baseline, current = (_outline(one / largest) for one in heights)
    described = f"{name}: median {shown(now.median)} in production, {shown(before.median)} in the baseline"
    return Chart(baseline, current, low=shown(low), high=shown(high), description=described)


def _outline(heights: NDArray[np.float64]) -> str:
    """Return the points of a histogram's steps, from its lower left corner to its lower right one."""
    step = _WIDTH / _BINS
    points = [(0.0, float(_HEIGHT))]
    for index, height in enumerate(heights.tolist()):
        top = _HEIGHT - height * (_HEIGHT - 2)
        points += [(index * step, top), ((index + 1) * step, top)]
    points.append((float(_WIDTH), float(_HEIGHT)))
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _bars(before: Mapping[str, int], now: Mapping[str, int], most: int = 3) -> tuple[Bar, ...]:
    totals = sum(before.values()), sum(now.values())
    bars = [
        Bar(name, before.get(name, 0) / totals[0], now.get(name, 0) / totals[1])
        for name in dict.fromkeys((*before, *now))
    ]
    return tuple(sorted(bars, key=lambda bar: -abs(bar.current - bar.baseline))[:most])
