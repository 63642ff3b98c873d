"""The server of this working tree against that of another revision, under the same load, taking turns.

    PYTHONPATH=container .venv/bin/python -m tests.benchmarks.serving.revisions REVISION [--rounds N] [--seconds S]

Model, images, load and Python environment are those of the serving benchmark (see `__main__.py`). In every round both
servers are started afresh, and the one that is first changes. Printed: for each figure the medians of both and the
median, least and largest of the ratios inside a round.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

from image_classifier import PROGRAM
from tests.benchmarks.serving import markdown, page, places, rows, runs
from tests.benchmarks.serving.places import ROOT, Places
from tests.benchmarks.serving.runs import Figures
from tests.support.waiting import free_port

Pair = tuple[Figures, Figures]
"""Of one round: this working tree, the other revision."""


def main() -> int:
    """Measure and print."""
    given = _arguments()
    pairs: list[Pair] = []
    with tempfile.TemporaryDirectory(prefix="revisions-") as scratch:
        try:
            other = export(given.revision, Path(scratch) / "other")
            prepared = places.prepare(Path(scratch))
            for number in range(given.rounds):
                pairs.append(_round(number, other, prepared, given.connections, given.seconds))
                print(f"round {number + 1} of {given.rounds}: measured", flush=True)
        except (RuntimeError, subprocess.CalledProcessError) as error:
            print(error, file=sys.stderr)
            return 1
    print(f"\n{page.machine()}\n")
    print("\n".join(table(pairs, given.revision, given.connections)))
    return 0


def export(revision: str, into: Path) -> Path:
    """Write a revision's program into a folder and return it; the working tree stays as it is.

    Raises:
        subprocess.CalledProcessError: Git does not know the revision.
    """
    into.mkdir(parents=True)
    archive = into / "program.tar"
    subprocess.run(["git", "-C", ROOT, "archive", f"--output={archive}", revision, "container"], check=True)
    with tarfile.open(archive) as tar:
        tar.extractall(into, filter="data")
    return into / "container"


def table(pairs: Sequence[Pair], revision: str, connections: Sequence[int]) -> list[str]:
    """Return the table in Markdown; the ratios are this working tree's figure by the other revision's."""
    each = [tuple(_figures(side, connections) for side in pair) for pair in pairs]
    lines = markdown.head("figure", "here", revision[:12], "ratio", "least", "largest")
    for name in each[0][0]:
        here, there = ([pair[side][name] for pair in each] for side in (0, 1))
        ratios = [one / other for one, other in zip(here, there, strict=True)]
        middle = [f"{statistics.median(values):.2f}" for values in (here, there)]
        spread = [f"{value:.3f}" for value in (statistics.median(ratios), min(ratios), max(ratios))]
        lines.append(markdown.line(name, *middle, *spread))
    return lines


def _figures(found: Figures, connections: Sequence[int]) -> dict[str, float]:
    figures: dict[str, float] = {}
    for count in connections:
        load = found.loads[count]
        figures[f"images/s over {count} connections"] = load.rate
        figures[f"p50, ms, over {count}"], figures[f"p99, ms, over {count}"] = load.p50, load.p99
    if found.large:
        figures[f"images of 12 megapixels/s over {runs.LARGE_CONNECTIONS}"] = found.large.rate
    figures["first answer, s after the start"] = found.first_answer
    figures["memory after the load, MB"] = found.megabytes
    return figures


def _round(number: int, other: Path, prepared: Places, connections: Sequence[int], seconds: float) -> Pair:
    programs = (PROGRAM, other) if number % 2 == 0 else (other, PROGRAM)
    found = {program: _measure(program, prepared, connections, seconds) for program in programs}
    if found[PROGRAM].errors or found[other].errors:
        raise RuntimeError("Some requests were not answered with 200; the figures would not be of the same work.")
    return found[PROGRAM], found[other]


def _measure(program: Path, prepared: Places, connections: Sequence[int], seconds: float) -> Figures:
    port = free_port()
    # PYTHONPATH names this working tree, which the other revision must not import.
    environment = {**rows.environment(rows.OURS, prepared, port), "PYTHONPATH": os.fspath(program)}
    command = [str(prepared.slim_python), str(program / "serve")]
    return runs.measure_server(command, environment, port, prepared, connections, seconds, large=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("revision", help="a commit, tag or branch of this repository")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5, help="of each load, whole ones")
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 16, 64], metavar="N")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
