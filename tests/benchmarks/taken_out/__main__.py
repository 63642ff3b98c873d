"""Mutation tests: remove behaviours of the server one by one; the tests of docs/reference/faults.md must fail.

    scripts/benchmark taken_out [--only NUMBER ...] [--seconds 180] [--write]

Works in a temporary copy of the project; what is taken out, and which tests must fail then: table.py. First each of
these tests has to pass in the unchanged copy. Printed: a line for each; the exit code is 1 when one was not noticed.
`--write` puts the list at the end of docs/reference/faults.md.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.serving import page
from tests.benchmarks.serving.markdown import line
from tests.benchmarks.taken_out import trial
from tests.benchmarks.taken_out.edit import Edit
from tests.benchmarks.taken_out.table import EDITS
from tests.benchmarks.taken_out.trial import Outcome, Run
from tests.repository.project import ROOT

PAGE = ROOT / "docs" / "reference" / "faults.md"
BLOCK = "taken out"
_INTRODUCTION = """Written by `scripts/benchmark taken_out --write`, which takes
each of these out of a copy of the program and runs the tests beside it: {verdict}.

| # | taken out | noticed by |
|---:|---|---|
"""


def main() -> int:
    """Try what is asked for, print, and write the page when asked; return the exit code."""
    given = _arguments()
    edits = [edit for edit in EDITS if not given.only or edit.fault in given.only]
    with tempfile.TemporaryDirectory(prefix="taken-out-") as scratch:
        root = Path(scratch)
        trial.copy_project(root)
        run = trial.runner(root, given.seconds)
        if failing := failing_already(edits, run):
            print(
                *failing,
                "The unchanged program fails tests, so the results would mean nothing.",
                sep="\n",
                file=sys.stderr,
            )
            return 1
        outcomes = []
        for edit in edits:
            outcomes.append(trial.attempt(edit, root, run))
            print(said(outcomes[-1]), flush=True)
    print(verdict(outcomes))
    if given.write:
        page.write(BLOCK, block(outcomes), PAGE)
    return int(not all(outcome.noticed for outcome in outcomes))


def failing_already(edits: Sequence[Edit], run: Run) -> list[str]:
    """Return a line of each file of whose tests one fails although nothing is taken out."""
    files: dict[str, dict[str, None]] = {}
    for test in (test for edit in edits for test in edit.tests):
        files.setdefault(test.partition("::")[0], {})[test] = None
    return [ran.said for ran in map(run, map(list, files.values())) if not ran.passed]


def said(outcome: Outcome) -> str:
    """Return what is printed of an edit."""
    name = f"{outcome.edit.fault:2} {outcome.edit.what}"
    if not outcome.noticed:
        return f"{name}: NOT NOTICED by {', '.join(outcome.missed_by) or 'any test'}"
    return "\n".join([f"{name}: noticed", *(f"     {failure}" for failure in outcome.failures)])


def verdict(outcomes: Sequence[Outcome]) -> str:
    """Return the last line."""
    noticed = sum(outcome.noticed for outcome in outcomes)
    return f"{noticed} of {len(outcomes)} taken-out behaviours were noticed"


def block(outcomes: Sequence[Outcome]) -> str:
    """Return the part of the page."""
    rows = [
        line(
            str(outcome.edit.fault),
            outcome.edit.what,
            ", ".join(f"`{test}`" for test in outcome.edit.tests) if outcome.noticed else "**nothing**",
        )
        for outcome in outcomes
    ]
    return _INTRODUCTION.format(verdict=verdict(outcomes)) + "\n".join(rows)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", type=int, nargs="+", default=[], metavar="NUMBER", help="of the faults")
    parser.add_argument("--seconds", type=float, default=180, help="that a test may take before it counts as failed")
    parser.add_argument("--write", action="store_true", help=f"into {PAGE.relative_to(ROOT)}")
    given = parser.parse_args()
    if given.write and given.only:
        parser.error("--write writes the whole list; leave --only out.")
    return given


if __name__ == "__main__":
    sys.exit(main())
