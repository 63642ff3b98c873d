"""The server of this working tree against that of another revision, in alternating bursts of the same load.

    scripts/benchmark serving.revisions REVISION [--rounds N] [--seconds S]

Model, images, load and Python environment are those of the serving benchmark (see `__main__.py`); each revision
converts the model itself, since the records of a conversion have changed. Both servers run throughout; in every round
each load is put first on one and then on the other, and the order changes from round to round, so that whatever slows
the machine down for longer than a burst slows both. Printed: for each figure the medians of both, and the median of the
ratios of the rounds with its 95 % confidence interval (bootstrap, 2,000 resamples).
"""

import argparse
import os
import random
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

from image_classifier import PROGRAM, archives
from tests.benchmarks.serving import load, markdown, page, places, rows, servers
from tests.benchmarks.serving.places import ROOT, Places
from tests.benchmarks.serving.servers import Running
from tests.benchmarks.training.watched import tree
from tests.support.waiting import free_port

Pair = tuple[Mapping[str, float], Mapping[str, float]]
"""Of one round: this working tree, the other revision."""
RESAMPLES = 2000
PAUSE_SECONDS = 1.0
"""Between bursts: requests that wrk left unanswered would take slots from the next one."""


def main() -> int:
    """Measure and print."""
    given = _arguments()
    pairs: list[Pair] = []
    with tempfile.TemporaryDirectory(prefix="revisions-") as scratch:
        try:
            other = export(given.revision, Path(scratch) / "other")
            prepared = places.prepare(Path(scratch))
            theirs = converted_by(other, prepared)
            with _server(PROGRAM, prepared) as here, _server(other, theirs) as there:
                for server in (here, there):
                    load.put(server.url, 4, 2, prepared.small)
                for number in range(given.rounds):
                    pairs.append(_round(number, here, there, prepared, given.connections, given.seconds))
        except (RuntimeError, subprocess.CalledProcessError) as error:
            print(error, file=sys.stderr)
            return 1
    print(f"{page.machine()}\n")
    print("\n".join(table(pairs, given.revision)))
    return 0


def export(revision: str, into: Path, part: str = "container") -> Path:
    """Write a part of a revision, its program or `.`, into a folder and return it; the working tree stays as it is.

    Raises:
        subprocess.CalledProcessError: Git does not know the revision.
    """
    into.mkdir(parents=True)
    archive = into / "revision.tar"
    subprocess.run(["git", "-C", ROOT, "archive", f"--output={archive}", revision, part], check=True)
    with tarfile.open(archive) as tar:
        tar.extractall(into, filter="data")
    return into / part


def converted_by(program: Path, prepared: Places) -> Places:
    """Return the places with a model of their own, which another revision's program has converted.

    Raises:
        subprocess.CalledProcessError: The revision cannot convert it.
    """
    tree = prepared.scratch / "other-ml"
    archives.unpack(prepared.scratch / places.ARCHIVE, tree / "model")
    # Where the command was before it had a package of its own, and where it is.
    package = "cli" if (program / "image_classifier" / "cli" / "convert_model.py").is_file() else "inference"
    command = [sys.executable, "-m", f"image_classifier.{package}.convert_model", os.fspath(tree / "model")]
    environment = {**os.environ, "PYTHONPATH": os.fspath(program)}
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    return replace(prepared, tree=tree)


def table(pairs: Sequence[Pair], revision: str) -> list[str]:
    """Return the table in Markdown; the ratios are this working tree's figure by the other revision's."""
    lines = markdown.head("figure", "here", revision[:12], "ratio", "from", "to")
    for name in pairs[0][0]:
        here, there = ([pair[side][name] for pair in pairs] for side in (0, 1))
        ratios = [one / other for one, other in zip(here, there, strict=True) if other]
        middle = [f"{statistics.median(values):.2f}" for values in (here, there)]
        spread = [f"{value:.3f}" for value in (statistics.median(ratios), *interval(ratios))]
        lines.append(markdown.line(name, *middle, *spread))
    return lines


def interval(ratios: Sequence[float]) -> tuple[float, float]:
    """Return the 95 % confidence interval of the median, by resampling with a fixed seed."""
    draw = random.Random(0)
    medians = sorted(statistics.median(draw.choices(ratios, k=len(ratios))) for _ in range(RESAMPLES))
    return medians[round(0.025 * RESAMPLES)], medians[round(0.975 * RESAMPLES) - 1]


def _server(program: Path, prepared: Places) -> AbstractContextManager[Running]:
    port = free_port()
    # PYTHONPATH names this working tree, which the other revision must not import.
    environment = {**rows.environment(rows.OURS, prepared, port), "PYTHONPATH": os.fspath(program)}
    command = [str(prepared.slim_python), str(program / "serve")]
    return servers.running(command, environment, port, prepared.scratch, prepared.small[0].read_bytes())


def _round(
    number: int, here: Running, there: Running, prepared: Places, connections: Sequence[int], seconds: float
) -> Pair:
    found: dict[Running, dict[str, float]] = {here: {}, there: {}}
    for count in connections:
        for server in (here, there) if number % 2 == 0 else (there, here):
            found[server] |= _burst(server, count, prepared.small, seconds)
    return found[here], found[there]


def _burst(server: Running, count: int, images: Sequence[Path], seconds: float) -> dict[str, float]:
    time.sleep(PAUSE_SECONDS)
    before = _cpu_seconds(server.process.pid)
    one = load.put(server.url, count, seconds, images)
    if one.errors:
        raise RuntimeError(
            f"{one.errors} of {one.answers + one.errors} requests were not answered with 200:\n{server.tail()}"
        )
    if not one.answers:
        raise RuntimeError(f"No answer over {count} connections within {seconds} s: the machine is too busy.")
    cpu = _cpu_seconds(server.process.pid) - before
    return {
        f"images/s, {count} connections": one.rate,
        f"p50, ms, {count} connections": one.p50,
        f"CPU ms an image, {count} connections": 1000 * cpu / one.answers,
    }


def _cpu_seconds(process: int) -> float:
    """Return what a process and its descendants have used of CPUs, in seconds."""
    ticks = 0
    for number in tree(process):
        fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("revision", help="a commit, tag or branch of this repository")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--seconds", type=int, default=1, help="of each burst, whole ones")
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 16, 64], metavar="N")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
