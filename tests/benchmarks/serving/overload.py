"""Our server under overload, at SIGTERM with requests in flight, and its memory after long work.

    scripts/benchmark serving.overload [--rounds N] [--seconds S] [--write]

In every round: 16 and 64 connections, of which the one is the peak whose median is better, then 256 and 512, all while
other clients ping and send images in between; then SIGTERM with 64 requests in flight. Once: memory after 1,000
requests, and after 100 images of 12 megapixels more. `--write` puts it into docs/reference/serving-benchmark.md.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.serving import load, overload_runs, overload_table, page, places
from tests.benchmarks.serving.overload_runs import Round
from tests.benchmarks.serving.places import Places

PEAK, MANY = (16, 64), (256, 512)
_INTRODUCTION = """Written by
`scripts/benchmark serving.overload {words}--write` on
{machine}

The peak is that of {peak} connections whose median is better, taken in the same round; goodput counts answers with
status 200. Pings, and images whose 503 is timed, come from other clients as well, each on a connection of its own, at
the peak as under overload.
"""


def main() -> int:
    """Measure, print, and write the page when asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=10, help="of each load, whole ones")
    parser.add_argument("--write", action="store_true", help="into docs/reference/serving-benchmark.md")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="benchmark-") as scratch:
        try:
            prepared = places.prepare(Path(scratch))
            rounds = []
            for number in range(given.rounds):
                rounds.append(measure(prepared, given.seconds))
                print(f"round {number + 1}: measured", flush=True)
            with overload_runs.ours(prepared) as server:
                held = overload_runs.memory(server, prepared)
        except RuntimeError as error:
            print(error, file=sys.stderr)
            return 1
    text = overload_table.report(rounds, held)
    print(f"\n{page.machine()}\n\n{text}")
    if given.write:
        words = f"--rounds {given.rounds} --seconds {given.seconds} "
        peak = " or ".join(map(str, PEAK))
        page.write("overload", f"{_INTRODUCTION.format(words=words, machine=page.machine(), peak=peak)}\n{text}")
    return 0


def measure(prepared: Places, seconds: float) -> Round:
    """Measure one round: one fresh server under load, another one at its end."""
    with overload_runs.ours(prepared) as server:
        load.put(server.url, PEAK[0], 1, prepared.small)
        peaks = {count: overload_runs.overload(server, prepared, count, seconds).goodput for count in PEAK}
        overloads = {count: overload_runs.overload(server, prepared, count, seconds) for count in MANY}
    with overload_runs.ours(prepared) as server:
        return Round(peaks, overloads, overload_runs.end_under_load(server, prepared))


if __name__ == "__main__":
    sys.exit(main())
