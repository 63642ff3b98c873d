"""Compare the recipes with hand-set modes on real photographs, with EfficientNet-Lite0.

    scripts/benchmark recipes RESULTS.json [--data NAME ...] [--modes NAME ...] [--seeds N] [--tuning-seconds N]

Every training is a process of its own and is kept in RESULTS.json: what is there already is not repeated, so that the
benchmark can be interrupted and extended. CPU time is that of training and of scoring the held-out images; on a machine
that does something else beside, it is the figure to compare. The tuning of `auto` has a budget in wall-clock time, of
which other programs leave a part: `--tuning-seconds` gives it another one.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from image_classifier import durable_files
from tests.benchmarks.recipes import comparison, data_sets
from tests.benchmarks.recipes.modes import MODES
from tests.benchmarks.recipes.single_run import Run


def main() -> int:
    """Train what is missing and print the table."""
    given = _arguments()
    runs = [Run(**one) for one in json.loads(given.results.read_text())] if given.results.exists() else []
    for data in given.data:
        folds = len(data_sets.prepare(data, 0))
        for seed in range(given.seeds):
            for fold in range(folds):
                # Modes innermost: what slows the machine down for a while slows all of them.
                for mode in given.modes:
                    if (data, seed, fold, mode) not in {run.key for run in runs}:
                        runs.append(_train(data, seed, fold, mode, given.tuning_seconds))
                        durable_files.write_json(given.results, [asdict(run) for run in runs])
    print("\n".join(comparison.table(runs)))
    return 0


def _train(data: str, seed: int, fold: int, mode: str, tuning_seconds: float | None) -> Run:
    with tempfile.TemporaryDirectory(prefix="recipes-") as scratch:
        file = Path(scratch) / "run.json"
        arguments: list[str] = [str(file), data, str(seed), str(fold), mode]
        arguments += [str(tuning_seconds)] if tuning_seconds else []
        subprocess.run([sys.executable, "-m", "tests.benchmarks.recipes.single_run", *arguments], check=True)
        return Run(**json.loads(file.read_text()))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, help="file of the runs; made when it does not exist")
    parser.add_argument("--data", nargs="+", choices=[*data_sets.DATA_SETS], default=["stamps", "fashion-2000"])
    parser.add_argument("--modes", nargs="+", choices=[*MODES], default=[*MODES])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--tuning-seconds", type=float, help="budget of the tuning in place of the default")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
