"""Load a server for minutes and check for memory growth; then one with a planted leak, which must be detected.

    scripts/benchmark soak [--minutes 10] [--model FOLDER] [--write]

The exit code is 1 when anything is answered otherwise than expected, a process dies, memory grows, or the leak is not
caught. Without a model folder, a small model of colours is served. `--write` makes docs/reference/soak.md of it.
"""

import argparse
import os
import statistics
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.benchmarks.soak import load
from tests.benchmarks.soak.watch import LIMIT, Sample, Soak, watch
from tests.benchmarks.watched_server import of_process
from tests.platform.serving import ROOT, running, start_server
from tests.support import tiny_models

PAGE = ROOT / "docs" / "reference" / "soak.md"
LEAK = Path(__file__).parent / "leak"
_LEAK_MINUTES = 1.0
_ROWS = 20
_INTRODUCTION = """# {minutes:.0f} minutes under a mixed load

Written by `scripts/benchmark soak --minutes {minutes:.0f}{option} --write`.

`container/serve` with {model} on {cpus} CPUs, {clients} clients that ask without a pause, {requests:,} requests. Memory
is the PSS of its processes, taken each second. The slope is the median of the slopes between all pairs of samples after
the first third (Theil-Sen); allowed are {limit:.1f} MB for 1,000 requests.

**{verdict}**

| server | requests | MB for 1,000 requests | memory at the end | processes that died | other answers than expected |
|---|---:|---:|---:|---:|---:|
{summary}
The second server keeps every body that it reads (`tests/benchmarks/soak/leak`), which the same check must notice.

| asked | answers |
|---|---|
{answers}
| until | requests | memory, least | median | most |
|---:|---:|---:|---:|---:|
{curve}"""


def main() -> int:
    """Load both servers, print, perhaps write; return the process's exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--model", type=Path, help="a model folder with an OpenVINO IR")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(ROOT)}")
    given = parser.parse_args()
    if given.model and not given.model.is_dir():
        parser.error(f"--model is {given.model}, which does not exist. Give a model folder with an OpenVINO IR.")
    with tempfile.TemporaryDirectory(prefix="soak-") as scratch:
        tree = Path(scratch)
        if given.model:
            (tree / "model").symlink_to(given.model.absolute())
        else:
            tiny_models.write(tree / "model", "tiny")
        with running(start_server(tree)) as server:
            sound = watch(of_process(server), given.minutes * 60, given.seed)
        with running(start_server(tree, PYTHONPATH=str(LEAK))) as server:
            leaking = watch(of_process(server), min(_LEAK_MINUTES, given.minutes) * 60, given.seed)
    text = page(sound, leaking, given.minutes, given.model)
    print(text)
    print("\n".join(sound.wrong[:50]))
    if given.write:
        PAGE.write_text(text, encoding="utf-8")
    return int(bool(sound.faults) or leaking.slope <= LIMIT)


def page(sound: Soak, leaking: Soak, minutes: float, model: Path | None) -> str:
    """Return docs/reference/soak.md."""
    caught = "the planted leak is caught" if leaking.slope > LIMIT else "THE PLANTED LEAK IS NOT CAUGHT"
    return _INTRODUCTION.format(
        minutes=minutes,
        option=f" --model {model.name}" if model else "",
        model=model.name if model else "a small model",
        cpus=os.cpu_count(),
        clients=load.CLIENTS,
        requests=sound.samples[-1].requests,
        limit=LIMIT,
        verdict=f"{'; '.join(sound.faults[:5]) or 'Memory is flat'}; {caught}.",
        summary=summary("as it is", sound) + summary("with a planted leak", leaking),
        answers="".join(f"| {kind} | {cells_of(sound, kind)} |\n" for kind in load.WEIGHTS),
        curve=curve(sound.samples),
    )


def summary(name: str, soak: Soak) -> str:
    """Return a server's line."""
    last = soak.samples[-1]
    cells = (name, f"{last.requests:,}", f"{soak.slope:.2f}", f"{last.megabytes:.0f} MB", str(soak.deaths))
    return f"| {' | '.join(cells)} | {len(soak.wrong)} |\n"


def cells_of(soak: Soak, kind: str) -> str:
    """Return what came back for a kind of request."""
    found = Counter({status: number for (of, status), number in soak.outcomes.items() if of == kind})
    answers = {status: f"{number:,}" for status, number in sorted(found.items())}
    return ", ".join(number if status == "-" else f"{status}: {number}" for status, number in answers.items())


def curve(samples: tuple[Sample, ...]) -> str:
    """Return the memory over time, in at most `_ROWS` lines."""
    size = -(-len(samples) // _ROWS)
    lines = []
    for start in range(0, len(samples), size):
        part = samples[start : start + size]
        held = [sample.megabytes for sample in part]
        shown = (min(held), statistics.median(held), max(held))
        cells = [f"{part[-1].seconds:.0f} s", f"{part[-1].requests:,}", *(f"{megabytes:.0f}" for megabytes in shown)]
        lines.append(f"| {' | '.join(cells)} |\n")
    return "".join(lines)


if __name__ == "__main__":
    sys.exit(main())
