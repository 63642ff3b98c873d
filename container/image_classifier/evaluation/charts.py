"""Charts as SVG text: matplotlib draws, the page's stylesheet gives colours and font, so one SVG serves both themes."""

import importlib
import io
import logging
import os
import re
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from image_classifier.evaluation import svg as svg_text
from image_classifier.evaluation.calibration import Calibration
from image_classifier.evaluation.evidence import LearningPoint
from image_classifier.evaluation.wording import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_XLINK = "http://www.w3.org/1999/xlink"
_FOLDER_VARIABLE = "MPLCONFIGDIR"
"""Where matplotlib writes the list of fonts that it makes when it is imported."""
INCHES = (4.4, 2.9)
_MARKERS = {
    "line": "#0a0b01",
    "ink-2": "#0a0b02",
    "ink-3": "#0a0b03",
    "series-1": "#0a0b04",
    "series-2": "#0a0b05",
    "series-3": "#0a0b06",
}
"""Colours to draw with, by the custom property of the stylesheet that replaces each."""
_STYLE = {
    "svg.fonttype": "none",
    "font.size": 9,
    "font.family": "sans-serif",
    "axes.edgecolor": _MARKERS["line"],
    "axes.labelcolor": _MARKERS["ink-2"],
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": _MARKERS["line"],
    "grid.linewidth": 0.8,
    "text.color": _MARKERS["ink-2"],
    "xtick.color": _MARKERS["line"],
    "xtick.labelcolor": _MARKERS["ink-3"],
    "ytick.color": _MARKERS["line"],
    "ytick.labelcolor": _MARKERS["ink-3"],
    "ytick.left": False,
    "lines.linewidth": 1.8,
    "lines.solid_joinstyle": "round",
}


def import_library() -> None:
    """Import matplotlib, with its list of fonts in a temporary folder: a job writes nothing into the home folder.

    A folder that the user has set is used.
    """
    if "matplotlib.font_manager" in sys.modules:
        return
    # It warns when its list takes more than five seconds, as on a busy machine; a job's log shows warnings as problems.
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory(prefix="matplotlib-") as folder:
        given = os.environ.setdefault(_FOLDER_VARIABLE, folder)
        try:
            for name in ("matplotlib.font_manager", "matplotlib.figure", "matplotlib.backends.backend_svg"):
                importlib.import_module(name)
        finally:
            if given == folder:
                del os.environ[_FOLDER_VARIABLE]


def reliability(calibration: Calibration) -> str:
    """Draw accuracy against confidence: bins with their intervals beside the diagonal of perfect calibration."""

    def draw(axes: "Axes") -> None:
        axes.plot([0, 1], [0, 1], color=_MARKERS["ink-3"], linewidth=1, linestyle=(0, (4, 3)))
        lowest = min((min(one.confidence, one.accuracy.interval.low) for one in calibration.bins), default=0.0)
        for one in calibration.bins:
            low, high = one.accuracy.interval.low, one.accuracy.interval.high
            axes.plot([one.confidence] * 2, [low, high], color=_MARKERS["series-1"], linewidth=1.2, alpha=0.55)
            axes.plot([one.confidence], [one.accuracy.value], "o", color=_MARKERS["series-1"], markersize=4.5)
        axes.set(xlabel="confidence", ylabel="accuracy", xlim=(lowest - 0.02, 1.02), ylim=(lowest - 0.02, 1.02))
        _as_percentages(axes, "xy")

    bins = calibration.bins
    said = f"{len(bins)} bins of similar confidence with the share of right answers in each"
    if bins:
        said += (
            f", from {percent(bins[0].accuracy.value)} right at a confidence of {percent(bins[0].confidence)} "
            f"to {percent(bins[-1].accuracy.value)} right at {percent(bins[-1].confidence)}"
        )
    return _drawn("reliability", f"Reliability diagram: {said}.", draw)


def by_epoch(
    history: Sequence[Mapping[str, float]], metric: str, best_epoch: int | None = None, share: bool = False
) -> str:
    """Draw a metric of training and validation images by epoch, where each was measured; `share`: as percentages."""
    lines = {
        label: [(epoch, row[name]) for epoch, row in enumerate(history, start=1) if name in row]
        for label, name in (("training", metric), ("validation", f"val_{metric}"))
    }

    def draw(axes: "Axes") -> None:
        from matplotlib.ticker import MaxNLocator

        if best_epoch is not None:
            axes.axvline(best_epoch + 1, color=_MARKERS["ink-3"], linewidth=1, linestyle=(0, (2, 3)))
        _labelled_lines(axes, lines)
        axes.set(xlabel="epoch")
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        if share:
            _as_percentages(axes, "y")

    said = [
        f"{label} from {_shown(points[0][1], share)} to {_shown(points[-1][1], share)}"
        for label, points in lines.items()
        if points
    ]
    best = f"; the model is that of epoch {best_epoch + 1}" if best_epoch is not None else ""
    return _drawn(metric, f"{metric.replace('_', ' ').capitalize()} by epoch: {', '.join(said)}{best}.", draw)


def learning(points: Sequence[LearningPoint]) -> str:
    """Draw accuracy by the number of training images, with intervals."""

    def draw(axes: "Axes") -> None:
        images, values = [point.images for point in points], [point.accuracy.value for point in points]
        low, high = zip(*((one.accuracy.interval.low, one.accuracy.interval.high) for one in points), strict=True)
        axes.fill_between(images, low, high, color=_MARKERS["series-1"], alpha=0.16, linewidth=0)
        axes.plot(images, values, "o-", color=_MARKERS["series-1"], markersize=4.5)
        for count, value in zip(images, values, strict=True):
            axes.annotate(percent(value), (count, value), (-5, 5), textcoords="offset points", ha="right")
        axes.set_xlim(0, max(images) * 1.08)
        axes.set_xticks(images, [f"{count:,}" for count in images])
        axes.set(xlabel="training images")
        _as_percentages(axes, "y")

    said = ", ".join(f"{percent(one.accuracy.value)} with {one.images:,} images" for one in points)
    return _drawn("learning", f"Accuracy by number of training images: {said}.", draw)


def _labelled_lines(axes: "Axes", lines: Mapping[str, Sequence[tuple[int, float]]]) -> None:
    """Draw lines with their names at their ends, which keep a distance."""
    ends = {label: points[-1][1] for label, points in lines.items() if points}
    upper = max(ends, key=lambda label: ends[label], default="")
    for (label, points), series in zip(lines.items(), ("series-1", "series-2"), strict=True):
        if not points:
            continue
        axes.plot(*zip(*points, strict=True), color=_MARKERS[series])
        axes.annotate(
            label,
            points[-1],
            (-2, 5 if label == upper else -5),
            textcoords="offset points",
            ha="right",
            va="bottom" if label == upper else "top",
            color=_MARKERS[series],
            weight="bold",
        )
    axes.margins(y=0.18)


def _shown(value: float, share: bool) -> str:
    return percent(value) if share else f"{value:.3g}"


def _as_percentages(axes: "Axes", which: str) -> None:
    from matplotlib.ticker import MaxNLocator

    for name in which:
        axis = getattr(axes, f"{name}axis")
        axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
        axis.set_major_formatter(lambda value, _: f"{value * 100:.3g} %")


def _drawn(name: str, label: str, draw: Callable[["Axes"], None]) -> str:
    """Return what `draw` draws as an SVG element named for screen readers; ids in it begin with the chart's `name`."""
    import_library()
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    content = io.BytesIO()
    with matplotlib.rc_context({**_STYLE, "svg.hashsalt": name}):
        figure = Figure(figsize=INCHES, layout="constrained")
        FigureCanvasSVG(figure)
        draw(figure.add_subplot())
        figure.savefig(content, format="svg", transparent=True, metadata={"Date": None})
    return _for_page(content.getvalue(), name, label)


def _for_page(svg: bytes, name: str, label: str) -> str:
    """Return matplotlib's SVG without metadata, style attributes, page-wide ids and colours of its own."""
    root = ElementTree.fromstring(svg)
    svg_text.inline_styles(root)
    for child in root.findall(f"{{{svg_text.NAMESPACE}}}metadata"):
        root.remove(child)
    referenced = set(re.findall(r"#([\w-]+)[\")]", svg.decode()))
    for element in root.iter():
        if element.get("id") not in referenced:
            element.attrib.pop("id", None)
        if (target := element.attrib.pop(f"{{{_XLINK}}}href", None)) is not None:
            element.set("href", target)
    for attribute in ("width", "height", "version"):
        root.attrib.pop(attribute, None)
    root.attrib.update({"class": "chart", "role": "img", "aria-label": label})
    ElementTree.register_namespace("", svg_text.NAMESPACE)
    text = ElementTree.tostring(root, encoding="unicode")
    for prop, marker in _MARKERS.items():
        text = text.replace(marker, f"var(--{prop})")
    return re.sub(r'font-family="[^"]+"', 'font-family="var(--font)"', text)
