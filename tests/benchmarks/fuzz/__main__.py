"""Attack servers of a small model with broken pictures, documents and requests, and say how they took it.

    PYTHONPATH=container:. .venv/bin/python -m tests.benchmarks.fuzz [--mutants 10000] [--seed 7] [--write]

The exit code is 1 when anything is answered with 5xx, a good picture in between is not answered, a process dies or
memory grows. `--write` makes docs/reference/fuzz.md of it.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks.fuzz import mutants, servers
from tests.benchmarks.fuzz.campaign import CLIENTS, GROWTH_MEGABYTES, Campaign, Result, run
from tests.benchmarks.fuzz.damages import DAMAGES
from tests.platform.serving import ROOT

PAGE = ROOT / "docs" / "reference" / "fuzz.md"
_RAW = _DOCUMENTS = 1_000
_PICTURES = (mutants.UNDAMAGED, *DAMAGES, mutants.SPLICED, mutants.UNPACKS_TO_MUCH)
_INTRODUCTION = """# Attacked with {sent:,} broken requests

Written by `PYTHONPATH=container:. .venv/bin/python -m tests.benchmarks.fuzz --mutants {count} --seed {seed} --write`.

`container/serve` with a small model on OpenVINO and {cpus} CPUs, {clients} clients at once, all kinds mixed; then the
same model as one of many (`SAGEMAKER_MULTI_MODEL`), with a tenth of the pictures. Seeded: each run sends the same.

* Pictures: every form of JPEG, PNG, WebP, BMP, GIF and TIFF that Pillow writes (modes 1, L, LA, P, RGB, RGBA, CMYK,
  I;16, I, F; depths; EXIF orientations; progressive, interlaced, animated), then one to three damages, named by the
  first; one in ten as a row of JSON beside a good one.
* Documents: JSON and lines of JSON, most of them wrong, for pictures and for loading models.
* Raw: listed mistakes of HTTP on connections of their own, and as many again with bytes changed.

**{verdict}**

| | one model | many models |
|---|---:|---:|
{facts}
"No answer" is a connection that its client broke off, or on which no whole request came.

| what was sent | requests | answers |
|---|---:|---|
"""


def main() -> int:
    """Attack, print, perhaps write; return the process's exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mutants", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(ROOT)}")
    given = parser.parse_args()
    results, seconds = [], []
    for serving, pictures in ((servers.of_one_model, given.mutants), (servers.of_many_models, given.mutants // 10)):
        with tempfile.TemporaryDirectory(prefix="fuzz-") as scratch, serving(Path(scratch)) as server:
            started = time.monotonic()
            results.append(run(server, Campaign(pictures // 2, _RAW, _DOCUMENTS, given.seed)))
            seconds.append(time.monotonic() - started)
    text = page(results, seconds, given.mutants, given.seed)
    print(text)
    print("\n".join(fault for result in results for fault in result.faults[:50]))
    if given.write:
        PAGE.write_text(text, encoding="utf-8")
    return int(any(result.faults for result in results))


def page(results: list[Result], seconds: list[float], count: int, seed: int) -> str:
    """Return docs/reference/fuzz.md."""
    facts = {
        "requests": [f"{result.findings.outcomes.total():,}" for result in results],
        "seconds": [f"{found:.0f}" for found in seconds],
        "answers of 5xx": [f"{result.errors - result.unknown_codings}" for result in results],
        "501 for a transfer coding that is none (RFC 9112, 6.1)": [f"{result.unknown_codings}" for result in results],
        "processes that died": [f"{result.deaths}" for result in results],
        "good pictures in between, rightly answered": [f"{result.findings.good:,}" for result in results],
        "other faults": [f"{len(result.findings.wrong)}" for result in results],
        f"memory (PSS, MB): before, half, end; at most +{GROWTH_MEGABYTES} from half to end": [
            ", ".join(f"{megabytes:.0f}" for megabytes in result.megabytes) for result in results
        ],
    }
    faults = [fault for result in results for fault in result.faults]
    introduction = _INTRODUCTION.format(
        sent=sum(result.findings.outcomes.total() for result in results),
        count=count,
        seed=seed,
        cpus=os.cpu_count(),
        clients=CLIENTS,
        verdict="; ".join(faults[:5]) or "Nothing broke: no answer of 5xx, no death, flat memory.",
        facts="".join(f"| {name} | {' | '.join(told)} |\n" for name, told in facts.items()),
    )
    kinds = {kind for result in results for kind, _ in result.findings.outcomes}
    ordered = [kind for kind in _PICTURES if kind in kinds] + sorted(kinds - set(_PICTURES))
    return introduction + "".join(row(results, kind) for kind in ordered)


def row(results: list[Result], kind: str) -> str:
    """Return a kind's line of the table, of both servers together."""
    outcomes = results[0].findings.outcomes + results[1].findings.outcomes
    answers = {status: number for (of, status), number in outcomes.items() if of == kind}
    told = ", ".join(f"{status}: {answers[status]:,}" for status in sorted(answers))
    return f"| {kind} | {sum(answers.values()):,} | {told} |\n"


if __name__ == "__main__":
    sys.exit(main())
