"""From the figures of all rounds to Markdown tables of medians."""

import statistics
from collections.abc import Callable, Iterable, Sequence

from tests.benchmarks.serving.bars import Round
from tests.benchmarks.serving.load import Load
from tests.benchmarks.serving.markdown import head, line
from tests.benchmarks.serving.rows import Row
from tests.benchmarks.serving.runs import Figures


def rates(rounds: Sequence[Round], connections: Sequence[int]) -> list[str]:
    """Format requests/s by number of connections, errors of all rounds, and the client's CPU at its busiest."""
    lines = head("requests/s over", *map(str, connections), "errors", "client's CPU")
    for row in _rows(rounds):
        found = [figures.loads for figures in _of(rounds, row)]
        cells = [_median((loads[count].rate for loads in found), "{:.0f}") for count in connections]
        every = [load for loads in found for load in loads.values()]
        busiest = max(load.client_cpu for load in every)
        lines.append(line(row.title, *cells, str(sum(load.errors for load in every)), f"{100 * busiest:.1f} %"))
    return lines


def times(rounds: Sequence[Round], connections: Sequence[int]) -> list[str]:
    """Format p50 and p99 in milliseconds by number of connections."""
    lines = head("p50 / p99 in ms over", *map(str, connections))
    for row in _rows(rounds):
        found = [figures.loads for figures in _of(rounds, row)]
        cells = [
            f"{_median((loads[count].p50 for loads in found), '{:.1f}')} / "
            f"{_median((loads[count].p99 for loads in found), '{:.1f}')}"
            for count in connections
        ]
        lines.append(line(row.title, *cells))
    return lines


_OTHERS: tuple[tuple[str, Callable[[Figures], float | None], str], ...] = (
    ("MB after load", lambda figures: figures.megabytes, "{:.0f}"),
    ("peak MB", lambda figures: figures.peak_megabytes, "{:.0f}"),
    ("s to ready", lambda figures: figures.ready, "{:.2f}"),
    ("s to the first answer", lambda figures: figures.first_answer, "{:.2f}"),
    ("ms, first request", lambda figures: figures.first_request, "{:.0f}"),
    ("ms, steady request", lambda figures: figures.steady_request, "{:.0f}"),
    ("12 megapixels, requests/s", lambda figures: _rate(figures.large), "{:.0f}"),
    (
        "12 megapixels, p50 in ms",
        lambda figures: figures.large.p50 if figures.large and figures.large.answers else None,
        "{:.0f}",
    ),
)


def others(rounds: Sequence[Round]) -> list[str]:
    """Format memory, start, first request, and the images of 12 megapixels."""
    lines = head("", *(name for name, _, _ in _OTHERS))
    for row in _rows(rounds):
        cells = []
        for _, value, form in _OTHERS:
            found = [number for figures in _of(rounds, row) if (number := value(figures)) is not None]
            cells.append(_median(found, form))
        lines.append(line(row.title, *cells))
    return lines


def _rate(load: Load | None) -> float | None:
    return load.rate if load else None


def _rows(rounds: Sequence[Round]) -> list[Row]:
    return sorted({row for one in rounds for row in one}, key=lambda row: row.place)


def _of(rounds: Sequence[Round], row: Row) -> list[Figures]:
    return [one[row] for one in rounds if row in one]


def _median(values: Iterable[float], form: str) -> str:
    found = list(values)
    return form.format(statistics.median(found)) if found else "-"
