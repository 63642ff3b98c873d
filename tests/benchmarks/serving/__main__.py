"""Our server against the bare engine and six other servers, under the same load, in alternating rounds.

    scripts/benchmark serving [--rounds N] [--quick] [--only ROW ...] [--write]

EfficientNet-Lite0 with its ImageNet head in float32; six photographs of 533 x 400 pixels as JPEGs of quality 90, posted
by wrk in a closed loop; rows and their settings: rows.py. In every round each row is started afresh, asked alone, and
put under load over each number of connections; another row is first in each round. Printed: medians of the rounds,
and whether each bar, a ratio inside a round, holds. `--write` puts them into docs/reference/serving-benchmark.md.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.serving import bars, page, places, promises, rows, runs, table
from tests.benchmarks.serving.bars import Round
from tests.benchmarks.serving.rows import ROWS, Row

CONNECTIONS = (1, 4, 16, 64)
_INTRODUCTION = """Written by `scripts/benchmark serving {words}--write` on
{machine}

EfficientNet-Lite0 with its ImageNet head, float32 everywhere; photographs of 533 x 400 pixels as JPEGs, posted over so
many connections, each with one request under way all the time; medians of {rounds} rounds of {seconds} s, in which the
servers take turns. The bare engine has one thread per CPU, in the column 1 one thread. How each server is set up:
`tests/benchmarks/serving/rows.py` and `peers/`.
"""


def main() -> int:
    """Measure, print, and write the page when asked."""
    given = _arguments()
    chosen = [row for row in ROWS if not given.only or row.name.startswith(tuple(given.only))]
    count, seconds = (1, 3) if given.quick else (given.rounds, given.seconds)
    rounds: list[Round] = []
    with tempfile.TemporaryDirectory(prefix="benchmark-") as scratch:
        try:
            prepared = places.prepare(Path(scratch))
            for number in range(count):
                found = {}
                for row in turn(chosen, number):
                    found[row] = runs.measure(row, prepared, given.connections, seconds)
                    print(f"round {number + 1}, {row.name}: measured", flush=True)
                bars.check_same_work(found)
                rounds.append(found)
        except RuntimeError as error:
            print(error, file=sys.stderr)
            return 1
    text = report(rounds, given.connections)
    print(f"\n{page.machine()}\n\n{text}")
    if given.write:
        words = f"--rounds {count} --seconds {seconds} "
        introduction = _INTRODUCTION.format(words=words, machine=page.machine(), rounds=count, seconds=seconds)
        page.write("speed", f"{introduction}\n{text}")
    return 0


def turn(chosen: Sequence[Row], number: int) -> list[Row]:
    """Return the rows in the order of a round: another one is first each time."""
    first = number % len(chosen)
    return [*chosen[first:], *chosen[:first]]


def report(rounds: Sequence[Round], connections: Sequence[int]) -> str:
    """Return the tables and the bars in Markdown."""
    parts = [
        table.rates(rounds, connections),
        table.times(rounds, connections),
        table.others(rounds),
        [promises.HEADER, *(bar.row(rounds) for bar in bars.all_bars())],
    ]
    return "\n\n".join("\n".join(part) for part in parts)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5, help="of each load, whole ones")
    parser.add_argument("--quick", action="store_true", help="one round of 3 s")
    parser.add_argument("--connections", type=int, nargs="+", default=list(CONNECTIONS), metavar="N")
    names = ", ".join(row.name for row in rows.ROWS)
    parser.add_argument("--only", nargs="+", default=[], metavar="ROW", help=f"by how their names begin: {names}")
    parser.add_argument("--write", action="store_true", help="into docs/reference/serving-benchmark.md")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
