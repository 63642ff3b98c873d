"""Ways to classify a photograph, each behind a closed loop of threads, interleaved inside one process."""

import argparse
import statistics
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

HEADER = "| threads | way | images/s | p50, ms | p99, ms |\n|---|---|---|---|---|"
Classify = Callable[[bytes], None]


@dataclass(frozen=True)
class Seen:
    """What one closed loop saw."""

    rate: float
    p50: float
    p99: float


def arguments(description: str | None, rounds: int, seconds: float) -> argparse.Namespace:
    """Read how many rounds and how many seconds of each way are wanted; given are the usual ones."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--seconds", type=float, default=seconds)
    return parser.parse_args()


def compare(
    ways: Mapping[str, Classify], threads: Sequence[int], photographs: list[bytes], rounds: int, seconds: float
) -> None:
    """Print a table in Markdown: medians, and in brackets those of the ratios to the first way inside a round."""
    names = list(ways)
    print(HEADER)
    for count in threads:
        found: dict[str, list[Seen]] = {name: [] for name in names}
        for number in range(rounds):
            for name in names if number % 2 == 0 else reversed(names):
                found[name].append(closed_loop(ways[name], count, photographs, seconds))
        print("\n".join(rows(count, found)), flush=True)


def closed_loop(classify: Classify, threads: int, photographs: list[bytes], seconds: float) -> Seen:
    """Let threads classify one photograph after the other."""
    times = list[float]()
    start = time.perf_counter()

    def work(number: int) -> None:
        while (began := time.perf_counter()) < start + seconds:
            classify(photographs[number % len(photographs)])
            times.append(time.perf_counter() - began)
            number += 1

    running = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    took = time.perf_counter() - start
    times.sort()
    return Seen(len(times) / took, 1000 * times[len(times) // 2], 1000 * times[int(0.99 * len(times))])


def rows(threads: int, found: dict[str, list[Seen]]) -> list[str]:
    """Return a Markdown row for each way."""
    first = next(iter(found.values()))

    def middle(seen: list[Seen], value: Callable[[Seen], float]) -> str:
        ratio = statistics.median(value(one) / value(other) for one, other in zip(seen, first, strict=True))
        return f"{statistics.median(map(value, seen)):.1f} ({ratio:.2f})"

    return [
        f"| {threads} | {name} | {middle(seen, lambda one: one.rate)} | {middle(seen, lambda one: one.p50)} "
        f"| {middle(seen, lambda one: one.p99)} |"
        for name, seen in found.items()
    ]
