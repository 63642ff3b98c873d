"""The table: mean accuracy, and the difference to the baseline on the same images with its interval."""

import random
import statistics
from collections.abc import Sequence

from image_classifier.evaluation.statistics import Proportion
from tests.benchmarks.recipes.modes import BASELINE, MODES
from tests.benchmarks.recipes.single_run import Run

RESAMPLES = 2_000


def table(runs: Sequence[Run]) -> list[str]:
    """Return the table in Markdown, a row for each data set and mode that has runs."""
    lines = [
        "| data | mode | runs | accuracy | against the built-in head, points | times its CPU time | CPU s | s | MB |",
        "|---|---|---:|---|---|---:|---:|---:|---:|",
    ]
    for data in dict.fromkeys(run.data for run in runs):
        for mode in MODES:
            of_mode = [run for run in runs if (run.data, run.mode) == (data, mode)]
            if of_mode:
                lines.append(_row(data, mode, of_mode, _partners(runs, of_mode)))
    return lines


def _partners(runs: Sequence[Run], of_mode: Sequence[Run]) -> list[tuple[Run, Run]]:
    baseline = {(run.data, run.seed, run.fold): run for run in runs if run.mode == BASELINE}
    keys = [(run.data, run.seed, run.fold) for run in of_mode]
    return [(run, baseline[key]) for run, key in zip(of_mode, keys, strict=True) if key in baseline]


def _row(data: str, mode: str, runs: Sequence[Run], pairs: Sequence[tuple[Run, Run]]) -> str:
    answers = [right for run in runs for right in run.right.values()]
    accuracy = Proportion(sum(answers), len(answers))
    low, high = accuracy.interval.low, accuracy.interval.high
    median = [f"{statistics.median(getattr(run, name) for run in runs):.0f}" for name in _MEDIANS]
    ratio = statistics.median(one.cpu_seconds / other.cpu_seconds for one, other in pairs) if pairs else float("nan")
    cells = [data, mode, str(len(runs)), f"{accuracy.value:.4f} ({low:.3f}-{high:.3f})", _difference(pairs)]
    return f"| {' | '.join([*cells, f'{ratio:.2f}', *median])} |"


_MEDIANS = ("cpu_seconds", "seconds", "memory_mb")


def _difference(pairs: Sequence[tuple[Run, Run]]) -> str:
    """Return the mean difference in points with its 95 % interval, by resampling images (bootstrap, fixed seed).

    An image that several seeds judge is resampled as a whole: its runs are not independent.
    """
    by_image: dict[str, list[int]] = {}
    for one, other in pairs:
        for name in one.right.keys() & other.right.keys():
            by_image.setdefault(name, []).append(one.right[name] - other.right[name])
    if not by_image:
        return "-"
    images = [(sum(found), len(found)) for _, found in sorted(by_image.items())]
    draw = random.Random(0)

    def mean(some: Sequence[tuple[int, int]]) -> float:
        return 100 * sum(total for total, _ in some) / sum(count for _, count in some)

    means = sorted(mean(draw.choices(images, k=len(images))) for _ in range(RESAMPLES))
    low, high = means[round(0.025 * RESAMPLES)], means[round(0.975 * RESAMPLES) - 1]
    return f"{mean(images):+.2f} ({low:+.2f} to {high:+.2f})"
