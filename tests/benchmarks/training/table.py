"""From the figures of all runs to Markdown tables and the verdict on each bar."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tests.benchmarks.training.runs import Case, Figures

ACCURACY_LOSS = 0.005
"""By how much our validation accuracy may be lower than the loop's."""


@dataclass(frozen=True)
class Pair:
    """Our job and the loop, run one after the other with the same seed."""

    ours: Figures
    loop: Figures


@dataclass(frozen=True)
class Bar:
    """What was promised for a case."""

    case: str
    promise: str
    measured: Callable[[Pair], float | None]
    """None where it cannot be measured."""
    limit: float
    at_least: bool = True

    def verdict(self, pairs: Sequence[Pair]) -> str:
        """Say in a line whether the median over the rounds keeps the promise."""
        values = [value for pair in pairs if (value := self.measured(pair)) is not None]
        what = f"{self.case}: {self.promise}"
        if not values:
            return f"NOT MEASURED  {what}"
        value = statistics.median(values)
        # A share of images has no exact form; 1e-9 keeps a loss of just ACCURACY_LOSS within it.
        holds = value >= self.limit - 1e-9 if self.at_least else value <= self.limit + 1e-9
        return f"{'holds        ' if holds else 'DOES NOT HOLD'} {what}: {value:.4g}"


def bars(case: Case, speed: float) -> list[Bar]:
    """Return the promises for a case; `speed` is how many times faster it shall be (per epoch, of a whole network)."""
    accuracy = Bar(
        case.name,
        f"validation accuracy minus the loop's >= -{ACCURACY_LOSS}",
        lambda pair: pair.ours.accuracy - pair.loop.accuracy,
        -ACCURACY_LOSS,
    )
    if not case.whole:
        times = f"start to exported model, times faster >= {speed:g}"
        return [Bar(case.name, times, lambda pair: pair.loop.exported / pair.ours.exported, speed), accuracy]
    return [
        Bar(
            case.name,
            f"per epoch with decoding and tracing, times faster >= {speed:g}",
            lambda pair: pair.loop.per_epoch / pair.ours.per_epoch,
            speed,
        ),
        Bar(case.name, f"epochs after the first, times faster >= {speed:g}", _later_epochs, speed),
        Bar(
            case.name,
            "peak memory until the export, share of the loop's <= 0.7",
            lambda pair: pair.ours.megabytes / pair.loop.megabytes,
            0.7,
            at_least=False,
        ),
        accuracy,
    ]


def _later_epochs(pair: Pair) -> float | None:
    ours, loop = pair.ours.later_epochs, pair.loop.later_epochs
    return loop / ours if ours and loop else None


HEADER = (
    "| training | | s to the exported model | times faster | s an epoch | s a later epoch | peak MB | MB to the exit "
    "| accuracy, best epoch | last epoch |\n|---|---|---|---|---|---|---|---|---|---|"
)


def rows(name: str, pairs: Sequence[Pair]) -> list[str]:
    """Format the two rows of a case: medians of the rounds, and the median of the rounds' ratios."""
    ratio = statistics.median(pair.loop.exported / pair.ours.exported for pair in pairs)
    found = []
    for contender, runs, faster in (
        ("our job", [pair.ours for pair in pairs], f"{ratio:.2f}"),
        ("plain loop", [pair.loop for pair in pairs], "1"),
    ):
        later = [run.later_epochs for run in runs if run.later_epochs is not None]
        cells = [
            f"{statistics.median(run.exported for run in runs):.1f}",
            faster,
            f"{statistics.median(run.per_epoch for run in runs):.2f}",
            f"{statistics.median(later):.2f}" if later else "-",
            f"{statistics.median(run.megabytes for run in runs):.0f}",
            f"{statistics.median(run.whole_megabytes for run in runs):.0f}",
            f"{statistics.median(run.accuracy for run in runs):.4f}",
            f"{statistics.median(run.accuracies[-1] for run in runs):.4f}",
        ]
        found.append(f"| {name} | {contender} | {' | '.join(cells)} |")
    return found


def phases(measured: Mapping[str, Sequence[Figures]]) -> list[str]:
    """Format where the time goes: a row a phase, a column a case, medians of the rounds in seconds."""
    names = max((list(runs[0].phases) for runs in measured.values()), key=len)
    lines = [f"| seconds of | {' | '.join(measured)} |", f"|---|{'---|' * len(measured)}"]
    for name in names:
        cells = [
            f"{statistics.median(run.phases[name] for run in runs):.2f}" if name in runs[0].phases else ""
            for runs in measured.values()
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    totals = [f"{statistics.median(run.seconds for run in runs):.2f}" for runs in measured.values()]
    return [*lines, f"| start to exit | {' | '.join(totals)} |"]
