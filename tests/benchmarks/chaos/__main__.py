"""A small job, killed at random moments and restarted, compared with an undisturbed one.

    scripts/benchmark chaos [--kills 50] [--seed 6] [--write]

Two jobs run at a time. Printed: a line a kill; the exit code is 1 when any result differs. `--write` makes
docs/reference/chaos.md of it.
"""

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.benchmarks.chaos import kills, small_job
from tests.benchmarks.chaos.kills import KINDS, Plan, Reference, Row

PAGE = small_job.ROOT / "docs" / "reference" / "chaos.md"
_AT_A_TIME = 2
_INTRODUCTION = """# Killed at {count} random moments

Written by `scripts/benchmark chaos --kills {count} --seed {seed} --write`.

A job of {durations} on {cpus} CPUs, two at a time beside other work, is killed (SIGKILL, with all its processes) at
seeded random moments, spread evenly over its whole life, and started again until its end: on another machine, where
only `/opt/ml/checkpoints` comes back, or where all files still lie. A checkpoint is written after every step, so that
many kills hit one. After some kills a file of the newest checkpoint is corrupt as well. Compared with an undisturbed
job, bit for bit (`deterministic=True`): reports, weights in the SavedModel, the serving code's answers to all
images, variables, optimizer slots and state of the last checkpoint.

**{verdict}** Kills by phase: {phases}. {half} checkpoints were half written, {corrupt} were corrupt.

| kind of job | killed after | phase | what lay there | started again | corrupt | the restart said | result |
|---|---:|---|---|---|---|---|---|
"""


def main() -> int:
    """Kill, restart, compare; return the process's exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=6)
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(small_job.ROOT)}")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="chaos-") as scratch, ThreadPoolExecutor(_AT_A_TIME) as pool:
        base = Path(scratch)
        inputs = small_job.make_inputs(base / "inputs")

        def undisturbed(kind: str) -> Reference:
            return Reference(*kills.run_undisturbed(base / kind, inputs, kind))

        references = dict(zip(KINDS, pool.map(undisturbed, KINDS), strict=True))
        plans = kills.draw(given.kills, given.seed)

        def carry_out(numbered: tuple[int, Plan]) -> Row:
            number, plan = numbered
            row = kills.carry_out(plan, base / f"job-{number}", inputs, references[plan.kind])
            print(f"{time.strftime('%H:%M:%S')} {number + 1:3} {line(row)}", flush=True)
            return row

        rows = list(pool.map(carry_out, enumerate(plans)))
    if given.write:
        PAGE.write_text(page(rows, references, given.seed), encoding="utf-8")
    return int(any(row.different for row in rows))


def line(row: Row) -> str:
    """Return a kill as a row of the table."""
    cells = (
        row.plan.kind,
        f"{row.seconds:.2f} s",
        row.phase,
        row.left,
        "another machine" if row.plan.another_machine else "same files",
        row.corrupt,
        row.said,
        f"differs: {', '.join(row.different)}" if row.different else "equal",
    )
    return f"| {' | '.join(cells)} |"


def page(rows: Sequence[Row], references: dict[str, Reference], seed: int) -> str:
    """Return docs/reference/chaos.md."""
    equal = sum(not row.different for row in rows)
    phases = Counter(row.phase for row in rows)
    introduction = _INTRODUCTION.format(
        count=len(rows),
        seed=seed,
        cpus=os.cpu_count(),
        durations=" or ".join(f"{found.seconds:.0f} s ({kind})" for kind, found in references.items()),
        verdict=f"{equal} of {len(rows)} restarts finished with the same result.",
        phases=", ".join(f"{phase} {phases[phase]}" for phase in kills.PHASES.values() if phases[phase]),
        half=sum("a checkpoint half written" in row.left for row in rows),
        corrupt=sum(bool(row.corrupt) for row in rows),
    )
    ordered = sorted(rows, key=lambda row: (row.plan.kind, row.seconds))
    return introduction + "".join(f"{line(row)}\n" for row in ordered)


if __name__ == "__main__":
    sys.exit(main())
