"""Our training job against a plain Keras loop, from process start to exported model.

    scripts/benchmark training [--rounds N] [--quick] [--only CASE ...]

Solar cells and EfficientNet-Lite0; the same training and validation images, epochs, batch size, learning rate and
seed (another one each round) for both. Every run is a fresh process; the two alternate, and so does the order.
Printed: medians, ratios inside a round, whether each bar holds, and where the time goes. Ours ends later than at its
export: OpenVINO IR, verification and report, which the loop lacks, have rows of their own.
"""

import argparse
import tempfile
from pathlib import Path

from image_classifier import archives, artifacts
from image_classifier.model_hub import packages, staging
from image_classifier.photographs import sample_sets
from image_classifier.resources.processors import available_processors
from tests.benchmarks.training import runs, table
from tests.benchmarks.training.runs import Case, Places
from tests.benchmarks.training.table import Pair

SEED = 123
BARS = {
    Case("head, 5 epochs", whole=False, epochs=5, learning_rate=1e-3): 3.0,
    Case("head, 10 epochs", whole=False, epochs=10, learning_rate=1e-3): 6.0,
    Case("whole network, 3 epochs", whole=True, epochs=3, learning_rate=1e-4): 1.0,
}
"""How many times faster each shall be on 2 cores; the whole network per epoch."""
QUICK_WHOLE = Case("whole network, 1 epoch", whole=True, epochs=1, learning_rate=1e-4)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="one round, the whole network for one epoch")
    parser.add_argument("--no-cache", action="store_true", help="the loop without cache(), as its other tutorial")
    parser.add_argument("--only", nargs="+", default=[], metavar="CASE", help="cases by how their names begin")
    given = parser.parse_args()
    chosen = {QUICK_WHOLE if given.quick and case.whole else case: speed for case, speed in BARS.items()}
    chosen = {
        case: speed for case, speed in chosen.items() if not given.only or case.name.startswith(tuple(given.only))
    }
    rounds = 1 if given.quick else given.rounds
    measured: dict[Case, list[Pair]] = {case: [] for case in chosen}
    with tempfile.TemporaryDirectory(prefix="benchmark-") as scratch:
        places = prepare(Path(scratch))
        for number in range(rounds):
            for case in chosen:
                measured[case].append(pair(case, places, number, cache=not given.no_cache))
                print(f"round {number + 1}, {case.name}: measured", flush=True)
    show(measured, chosen, rounds)


def prepare(scratch: Path) -> Places:
    """Fetch and stage what both train on, before anything is measured."""
    solar = sample_sets.fetch("solar", packages.cache_folder() / "data" / "solar")
    archive = staging.stage("lite0", scratch / "lite0.tar.gz")
    folder = archives.materialise(archive, scratch / "lite0")
    return Places(solar / "train", solar / "held-out", archive, artifacts.saved_model_folder(folder))


def pair(case: Case, places: Places, number: int, cache: bool) -> Pair:
    """Run both once; in odd rounds the loop is first."""
    seed, found = SEED + number, {}
    for contender in ("ours", "loop") if number % 2 == 0 else ("loop", "ours"):
        with tempfile.TemporaryDirectory(prefix="run-") as folder:
            if contender == "ours":
                found[contender] = runs.our_job(case, places, seed, Path(folder))
            else:
                found[contender] = runs.plain_loop(case, places, seed, Path(folder), cache)
    return Pair(found["ours"], found["loop"])


def show(measured: dict[Case, list[Pair]], speeds: dict[Case, float], rounds: int) -> None:
    """Print the tables and the bars."""
    print(f"\n{available_processors()} CPUs, rounds: {rounds}\n\n{table.HEADER}")
    for case, pairs in measured.items():
        print("\n".join(table.rows(case.name, pairs)))
    print()
    for case, pairs in measured.items():
        print("\n".join(bar.verdict(pairs) for bar in table.bars(case, speeds[case])))
    print("\nWhere our job's time goes\n")
    print("\n".join(table.phases({case.name: [pair.ours for pair in pairs] for case, pairs in measured.items()})))
    print("\nWhere the loop's time goes\n")
    print("\n".join(table.phases({case.name: [pair.loop for pair in pairs] for case, pairs in measured.items()})))


if __name__ == "__main__":
    main()
