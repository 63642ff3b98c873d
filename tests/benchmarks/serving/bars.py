"""The promises of the server on 2 CPUs: ratios to the other rows within a round, and absolute times."""

from collections.abc import Callable, Mapping

from tests.benchmarks.serving import rows
from tests.benchmarks.serving.load import Load
from tests.benchmarks.serving.promises import Promise
from tests.benchmarks.serving.rows import Row
from tests.benchmarks.serving.runs import Figures

Round = Mapping[Row, Figures]
"""What each row measured in one round."""
TOLERANCE = 0.05
"""By how much a probability may differ from ours, since rows resize differently; all shall do the same work."""


def all_bars() -> list[Promise[Round]]:
    """Return every promise."""
    return [*_rates(), *_tails(), *_alone(), *_large(), *_start()]


def _rates() -> list[Promise[Round]]:
    wanted = [
        (rows.BARE, 0.95, (4, 16, 64)),
        (rows.LITSERVE_TENSORFLOW, 2.0, (16, 64)),
        (rows.LITSERVE_OPENVINO, 1.4, (1, 4)),
        (rows.LITSERVE_OPENVINO, 1.15, (16,)),
        (rows.FLASK_FUNCTION, 1.65, (4, 16, 64)),
        (rows.FLASK_KERAS, 5.0, (4, 16, 64)),
    ]
    return [
        Promise(f"requests/s over {count} connections, times {row.title}: >= {limit:g}", _rate_ratio(row, count), limit)
        for row, limit, counts in wanted
        for count in counts
    ]


def _tails() -> list[Promise[Round]]:
    return [
        Promise(f"p99 over {count} connections, times p50: <= {limit:g}", _tail(count), limit, at_least=False)
        for count, limit in ((1, 1.5), (4, 1.5), (16, 1.3), (64, 1.3))
    ]


def _alone() -> list[Promise[Round]]:
    def share_of(row: Row) -> Callable[[Round], float | None]:
        def share(found: Round) -> float | None:
            ours, other = _load(found, rows.OURS, 1), _load(found, row, 1)
            return ours.p50 / other.p50 if ours and other else None

        return share

    return [
        Promise(f"p50 alone, share of {row.title}: <= 0.75", share_of(row), 0.75, at_least=False)
        for row in (rows.FLASK_OPENVINO, rows.FLASK_THROUGHPUT)
    ]


def _large() -> list[Promise[Round]]:
    def ratio(found: Round) -> float | None:
        ours, other = _large_load(found, rows.OURS), _large_load(found, rows.FLASK_OPENVINO)
        return ours.rate / other.rate if ours and other and other.answers else None

    def cost(found: Round) -> float | None:
        small, large = _load(found, rows.OURS, 4), _large_load(found, rows.OURS)
        return small.rate / large.rate if small and large and large.answers else None

    def difference(name: str) -> Callable[[Round], float | None]:
        return lambda found: found[rows.BARE].differences.get(name) if rows.BARE in found else None

    largest = "12 megapixels, largest |Δp|"

    return [
        Promise(f"12 megapixels, requests/s, times {rows.FLASK_OPENVINO.title}: >= 3", ratio, 3.0),
        Promise("12 megapixels, time of an image, times one of 533x400: <= 3", cost, 3.0, at_least=False),
        *(
            Promise(f"{largest} {words}: <= 0.01", difference(name), 0.01, at_least=False)
            for name, words in (
                ("full", "against full decoding, both resized in 8 bits"),
                ("exact", "against full decoding, resized in floats"),
                ("full_exact", "of full decoding in 8 bits itself against that in floats"),
            )
        ),
    ]


def _start() -> list[Promise[Round]]:
    def first_answer(found: Round) -> float | None:
        return found[rows.OURS].first_answer if rows.OURS in found else None

    def first_request(found: Round) -> float | None:
        ours = found.get(rows.OURS)
        return ours.first_request / ours.steady_request if ours and ours.first_request and ours.steady_request else None

    return [
        Promise("seconds from the process's start to the first answer: < 1.2", first_answer, 1.2, at_least=False),
        Promise("first request, times a steady one: <= 2.5", first_request, 2.5, at_least=False),
    ]


def _rate_ratio(row: Row, connections: int) -> Callable[[Round], float | None]:
    def ratio(found: Round) -> float | None:
        ours, other = _load(found, rows.OURS, connections), _load(found, row, connections)
        return ours.rate / other.rate if ours and other and other.answers else None

    return ratio


def _tail(connections: int) -> Callable[[Round], float | None]:
    def tail(found: Round) -> float | None:
        ours = _load(found, rows.OURS, connections)
        return ours.p99 / ours.p50 if ours else None

    return tail


def _load(found: Round, row: Row, connections: int) -> Load | None:
    return found[row].loads.get(connections) if row in found else None


def _large_load(found: Round, row: Row) -> Load | None:
    return found[row].large if row in found else None


def check_same_work(found: Round) -> None:
    """Compare what the rows answer to the same images.

    Raises:
        RuntimeError: A row's probabilities are not ours.
    """
    ours = found[rows.OURS].answers if rows.OURS in found else ()
    for row, figures in found.items():
        for one, other in zip(ours, figures.answers, strict=False):
            if max(abs(p - q) for p, q in zip(one, other, strict=True)) > TOLERANCE:
                raise RuntimeError(f"{row.title} answers something else than ours: it does not do the same work.")
