"""From the rounds of overload to Markdown tables and verdicts."""

import math
import statistics
from collections.abc import Callable, Sequence

from tests.benchmarks.serving import promises
from tests.benchmarks.serving.load import percentile
from tests.benchmarks.serving.markdown import head, line
from tests.benchmarks.serving.overload_runs import IN_FLIGHT, Held, Overload, Round
from tests.benchmarks.serving.promises import Promise

_COLUMNS: tuple[tuple[str, Callable[[Overload], float], str], ...] = (
    ("answers/s", lambda found: found.goodput, "{:.0f}"),
    ("503", lambda found: found.load.rejected, "{:.0f}"),
    ("503, p50 ms", lambda found: percentile(found.rejections, 50), "{:.1f}"),
    ("503, p99 ms", lambda found: percentile(found.rejections, 99), "{:.1f}"),
    ("other errors", lambda found: _errors(found), "{:.0f}"),
    ("/ping p50 ms", lambda found: percentile(found.pings, 50), "{:.1f}"),
    ("/ping p99 ms", lambda found: percentile(found.pings, 99), "{:.1f}"),
)

_ENDED = ("answered before", "answered after", "503", "lost", "exit code", "s to the end")


def report(rounds: Sequence[Round], held: Held) -> str:
    """Return the tables, medians of the rounds, and the promises."""
    parts = [_overloads(rounds), _ends(rounds), _memory(held), verdicts(rounds, held)]
    return "\n\n".join("\n".join(part) for part in parts)


def verdicts(rounds: Sequence[Round], held: Held) -> list[str]:
    """Return a row a promise."""
    lines = [promises.HEADER]
    best = _best(rounds)
    for count in sorted(rounds[0].overloads):
        lines += [promise.row(rounds) for promise in _under_load(count, best)]
    at_the_end = (
        _never_more("SIGTERM, requests lost: 0", lambda one: one.ended.lost, 0),
        _never_more("SIGTERM, exit code: 0", lambda one: abs(one.ended.exit_code), 0),
        _never_more("SIGTERM, seconds to the end: <= 25", lambda one: one.ended.seconds, 25),
    )
    memory: tuple[Promise[Held], ...] = (
        Promise("MB after 1,000 requests: < 220", lambda one: one.after_small, 220, at_least=False),
        Promise("MB after 100 images of 12 megapixels: < 250", lambda one: one.after_large, 250, at_least=False),
    )
    return [*lines, *(one.row(rounds) for one in at_the_end), *(one.row([held]) for one in memory)]


def _best(rounds: Sequence[Round]) -> int:
    """Return the connections of the peak. The better of two in every round would count the luck of one of them."""
    return max(rounds[0].peaks, key=lambda count: statistics.median(one.peaks[count] for one in rounds))


def _under_load(count: int, best: int) -> list[Promise[Round]]:
    def goodput(one: Round) -> float:
        return one.overloads[count].goodput / one.peaks[best]

    def of(value: Callable[[Overload], float]) -> Callable[[Round], float]:
        return lambda one: value(one.overloads[count])

    what = f"{count} connections"
    return [
        Promise(f"{what}, goodput / peak: >= 0.95", goodput, 0.95),
        _never_more(f"{what}, resets, and answers that are neither 200 nor 503: 0", of(_errors), 0),
        _at_most(f"{what}, ms to a 503, p50: < 50", of(lambda found: percentile(found.rejections, 50)), 50),
        _at_most(f"{what}, ms of /ping, p50: < 20", of(lambda found: percentile(found.pings, 50)), 20),
        _at_most(f"{what}, ms of /ping, p99: < 500", of(lambda found: percentile(found.pings, 99)), 500),
    ]


def _at_most(words: str, measured: Callable[[Round], float], limit: float) -> Promise[Round]:
    return Promise(words, measured, limit, at_least=False)


def _never_more(words: str, measured: Callable[[Round], float], limit: float) -> Promise[Round]:
    return Promise(words, measured, limit, at_least=False, always=True)


def _errors(found: Overload) -> int:
    return found.load.failed + found.load.broken + found.unanswered


def _overloads(rounds: Sequence[Round]) -> list[str]:
    lines = head("connections", *(name for name, _, _ in _COLUMNS))
    for count in sorted(rounds[0].peaks):
        answers = statistics.median(one.peaks[count] for one in rounds)
        lines.append(line(str(count), f"{answers:.0f}", *("" for _ in _COLUMNS[1:])))
    for count in sorted(rounds[0].overloads):
        cells = []
        for _, value, form in _COLUMNS:
            found = [number for one in rounds if not math.isnan(number := value(one.overloads[count]))]
            cells.append(form.format(statistics.median(found)) if found else "-")
        lines.append(line(str(count), *cells))
    return lines


def _ends(rounds: Sequence[Round]) -> list[str]:
    lines = head(f"SIGTERM with {IN_FLIGHT} requests in flight", *_ENDED)
    for number, one in enumerate(rounds, start=1):
        ended = one.ended
        numbers = (ended.before, ended.answered, ended.rejected, ended.lost, ended.exit_code)
        lines.append(line(f"round {number}", *map(str, numbers), f"{ended.seconds:.2f}"))
    return lines


def _memory(held: Held) -> list[str]:
    names = ("MB (PSS) when ready", "after 1,000 requests", "after 100 images of 12 megapixels more")
    return [*head(*names), line(*(f"{size:.0f}" for size in (held.ready, held.after_small, held.after_large)))]
