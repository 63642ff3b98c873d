"""Attack servers of a small model with broken images, documents, requests and clients, and report the outcome.

    scripts/benchmark fuzz [--inputs 20000] [--seed 7] [--write]

Each input is sent twice: once alone, when the oracle of docs/decisions/0026 judges what it costs, and once among
others. The exit code is 1 when an input costs too much or is answered with 5xx, a good image in between is not
answered, `/ping` is late, a slow client keeps its connection, a process exits or memory grows. `--write` makes
docs/reference/fuzz.md of it.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks.fuzz import bounds, page, servers
from tests.benchmarks.fuzz.bodies import documents
from tests.benchmarks.fuzz.campaign import Campaign, run
from tests.benchmarks.fuzz.page import Attack
from tests.benchmarks.fuzz.raw_requests import every_raw_request
from tests.benchmarks.fuzz.slow_clients import besiege

SLOW_CLIENTS = 216
"""More than three times the slots of a server."""
_MODEL_SHARE, _MANY_MODELS_SHARE = 0.9, 0.1


def main() -> int:
    """Attack, print, perhaps write; return the process's exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--write", action="store_true", help=f"write {page.PATH.name}")
    given = parser.parse_args()
    attacks = [
        attack(server, round(given.inputs * share), given.seed)
        for server, share in ((servers.of_one_model, _MODEL_SHARE), (servers.of_many_models, _MANY_MODELS_SHARE))
    ]
    text = page.text(attacks, given.inputs, given.seed)
    print(text)
    faults = [fault for one in attacks for fault in one.faults]
    print("\n".join(faults[:100]))
    if given.write:
        page.PATH.write_text(text, encoding="utf-8")
    return int(bool(faults))


def attack(serving: servers.Serving, inputs: int, seed: int) -> Attack:
    """Attack one kind of server with so many inputs, and with slow clients afterwards."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as scratch, serving(Path(scratch)) as server:
        started = time.monotonic()
        result = run(server, campaign(inputs, seed), bounds.of(servers.MAX_PIXELS))
        seconds = time.monotonic() - started
        return Attack(result, besiege(server, SLOW_CLIENTS), seconds)


def campaign(inputs: int, seed: int) -> Campaign:
    """Divide inputs into two rounds: a third extreme ones, at most a tenth of each list, and mutants for the rest."""
    a_round = inputs // 2
    raw = min(a_round // 10, len(list(every_raw_request())))
    listed, extremes = min(a_round // 10, len(list(documents()))), a_round // 3
    return Campaign(a_round - 2 * raw - listed - extremes, raw, listed, extremes, seed)


if __name__ == "__main__":
    sys.exit(main())
