"""Jobs of this working tree against those of another revision: seconds and CPU seconds of pairs that take turns.

    scripts/benchmark training.revisions REVISION [--rounds N] [--here NAME=VALUE ...]

Photographs of solar cells and EfficientNet-Lite0, a head of 5 epochs and the whole network for one; from the start of
the process to its end, in this Python environment. Every run is a fresh process, and the order changes from round to
round. `--here` gives hyperparameters to this working tree's jobs alone: `--here report=False` where the other revision
writes none. Printed: the medians of both and of the ratios of the rounds, with the smallest and the largest ratio.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from image_classifier import PROGRAM
from image_classifier.model_hub import packages
from image_classifier.photographs import sample_sets
from tests.benchmarks import job_cost
from tests.benchmarks.job_cost import Job
from tests.benchmarks.serving import markdown, page
from tests.benchmarks.serving.revisions import export

CASES = {
    "head, 5 epochs": {"train_only_top_layer": "True", "epochs": "5"},
    "whole network, 1 epoch": {"train_only_top_layer": "False", "epochs": "1", "learning_rate": "0.0001"},
}
Pair = tuple[Job, Job]
"""Of one round: this working tree, the other revision."""


def main() -> int:
    """Measure and print."""
    given = _arguments()
    solar = sample_sets.fetch("solar", packages.cache_folder() / "data" / "solar")
    channels = {"training": solar / "train", "validation": solar / "held-out"}
    here_alone = dict(word.split("=", 1) for word in given.here)
    lines = markdown.head("job", "figure", "here", given.revision[:12], "ratio", "from", "to")
    with tempfile.TemporaryDirectory(prefix="revisions-") as scratch:
        try:
            other = export(given.revision, Path(scratch) / "other")
            for name, settings in CASES.items():
                pairs = [_pair(number, settings, here_alone, channels, other) for number in range(given.rounds)]
                lines += rows(name, pairs)
        except (RuntimeError, subprocess.CalledProcessError) as error:
            print(error, file=sys.stderr)
            return 1
    print(f"{page.machine()}\n")
    print("\n".join(lines))
    return 0


def rows(name: str, pairs: Sequence[Pair]) -> list[str]:
    """Return a case's rows in Markdown; the ratios are this working tree's figure by the other revision's."""
    found = []
    for figure in ("seconds", "cpu_seconds"):
        here, there = ([getattr(pair[side], figure) for pair in pairs] for side in (0, 1))
        ratios = [one / other for one, other in zip(here, there, strict=True)]
        middle = [f"{statistics.median(values):.1f}" for values in (here, there)]
        spread = [f"{value:.3f}" for value in (statistics.median(ratios), min(ratios), max(ratios))]
        found.append(markdown.line(name, figure.replace("cpu_", "CPU "), *middle, *spread))
    return found


def _pair(
    number: int, settings: Mapping[str, str], here_alone: Mapping[str, str], channels: Mapping[str, Path], other: Path
) -> Pair:
    programs = {PROGRAM: {**settings, **here_alone}, other: settings}
    order = list(programs) if number % 2 == 0 else list(reversed(programs))
    done = {program: job_cost.run(programs[program], channels, program) for program in order}
    return done[PROGRAM], done[other]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("revision", help="a commit, tag or branch of this repository")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--here", nargs="+", default=[], metavar="NAME=VALUE", help="hyperparameters of our jobs alone")
    given = parser.parse_args()
    if malformed := [word for word in given.here if "=" not in word]:
        parser.error(f"--here takes NAME=VALUE, not {malformed[0]!r}.")
    return given


if __name__ == "__main__":
    sys.exit(main())
