"""Small line charts as SVG, drawn without a library: the console stays small, and its pages need no script for them.

Colours and fonts come from the style sheet: `chart`, `s1` to `s4` for lines, `l1` to `l4` for the names at their ends.
"""

import math
from collections.abc import Mapping, Sequence

from markupsafe import Markup, escape

_WIDTH, _HEIGHT = 440, 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 80, 12, 28
_LINES = 4
"""Grid lines at most."""
_GAP = 15
"""Between two names at the ends of lines."""
Points = Sequence[tuple[float, float]]


def lines(title: str, series: Mapping[str, Points], share: bool = False) -> Markup:
    """Draw up to four lines with their names at their ends; `share` shows values as percentages.

    `title` is what the chart shows, for those who do not see it; first and last values are added to it.
    """
    drawn = {name: points for name, points in series.items() if points}
    values = [y for points in drawn.values() for _, y in points if math.isfinite(y)]
    steps = [x for points in drawn.values() for x, _ in points]
    if not values:
        return Markup("")
    marks = _marks(*_bounds(min(values), max(values), share))
    across = _Scale(min(steps), max(steps), _LEFT, _WIDTH - _RIGHT)
    up = _Scale(marks[0], marks[-1], _HEIGHT - _BOTTOM, _TOP)
    parts = [_grid(marks, up, share), _epochs(min(steps), max(steps), across)]
    ends = _spread({name: up.at(points[-1][1]) for name, points in drawn.items()})
    for number, (name, points) in enumerate(drawn.items(), start=1):
        parts.append(_line(number, points, across, up))
        x = across.at(points[-1][0]) + 7
        parts.append(
            Markup('<text class="l{}" x="{:.1f}" y="{:.1f}">{}</text>').format(number, x, ends[name] + 4, name)
        )
    said = "; ".join(f"{name} from {_shown(p[0][1], share)} to {_shown(p[-1][1], share)}" for name, p in drawn.items())
    opening = Markup('<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">')
    return opening.format(_WIDTH, _HEIGHT, f"{title}: {said}.") + Markup("").join(parts) + Markup("</svg>")


class _Scale:
    """Maps values to coordinates."""

    def __init__(self, low: float, high: float, start: float, end: float):
        self._low, self._span, self._start, self._end = low, high - low, start, end

    def at(self, value: float) -> float:
        """Return the coordinate of a value; the middle if there is only one value."""
        part = (value - self._low) / self._span if self._span else 0.5
        return self._start + part * (self._end - self._start)


def _bounds(low: float, high: float, share: bool) -> tuple[float, float]:
    """Return the interval to show: a little more than one value; of a share never more than 1."""
    if low < high:
        return low, high
    margin = 0.1 * abs(high) or 0.1
    return low - margin, high if share else high + margin


def _marks(low: float, high: float) -> list[float]:
    """Return round values around an interval, 2 to about `_LINES`."""
    span = high - low
    size = 10 ** math.floor(math.log10(span / _LINES))
    step = next(size * factor for factor in (1, 2, 5, 10, 20) if size * factor * _LINES >= span)
    first = math.floor(low / step)
    last = max(math.ceil(high / step), first + 1)
    return [number * step for number in range(first, last + 1)]


def _grid(marks: Sequence[float], up: _Scale, share: bool) -> Markup:
    path = " ".join(f"M{_LEFT} {up.at(mark):.1f}H{_WIDTH - _RIGHT}" for mark in marks)
    texts = [
        Markup('<text x="{}" y="{:.1f}">{}</text>').format(_LEFT - 6, up.at(mark) + 4, _shown(mark, share, marks))
        for mark in marks
    ]
    return (
        Markup('<path class="gridlines" d="{}"/><g class="axis">').format(path)
        + Markup("").join(texts)
        + Markup("</g>")
    )


def _epochs(first: float, last: float, across: _Scale) -> Markup:
    shown = sorted({first, (first + last) // 2, last}) if last - first >= 4 else sorted({first, last})
    texts = [
        Markup('<text x="{:.1f}" y="{}">{:.0f}</text>').format(across.at(number), _HEIGHT - 9, number)
        for number in shown
    ]
    return Markup('<g class="axis across">') + Markup("").join(texts) + Markup("</g>")


def _line(number: int, points: Points, across: _Scale, up: _Scale) -> Markup:
    places = [(across.at(x), up.at(y)) for x, y in points if math.isfinite(y)]
    if len(places) == 1:
        return Markup('<circle class="d{}" cx="{:.1f}" cy="{:.1f}" r="3.5"/>').format(number, *places[0])
    return Markup('<polyline class="s{}" points="{}"/>').format(number, " ".join(f"{x:.1f},{y:.1f}" for x, y in places))


def _spread(ends: Mapping[str, float]) -> dict[str, float]:
    """Return heights of names that are at least `_GAP` apart and close to the ends of their lines."""
    found: dict[str, float] = {}
    for name in sorted(ends, key=lambda one: ends[one]):
        above = max(found.values(), default=-math.inf)
        found[name] = max(ends[name], above + _GAP)
    overhang = max(found.values()) - (_HEIGHT - _BOTTOM)
    return {name: height - max(0.0, overhang) for name, height in found.items()}


def _shown(value: float, share: bool, marks: Sequence[float] = ()) -> str:
    if not math.isfinite(value):
        return str(escape(value))
    if share:
        digits = 1 if not marks or marks[1] - marks[0] < 0.01 else 0
        return f"{value * 100:.{digits}f} %"
    return f"{value:.4g}" if marks else f"{value:.3f}"
