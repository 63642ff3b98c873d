"""What a search of the head's hyperparameters costs: 100 trials on synthetic features.

    scripts/benchmark recipes_search [--images N] [--features N] [--classes N] [--trials N]

Prints seconds, CPU seconds and how many trials finished. On a machine that does something else beside, the CPU seconds
are those to compare.
"""

import argparse
import time
from collections import Counter

import numpy as np

from image_classifier.contract import hyperparameters
from image_classifier.training.recipes import search, search_report, search_space, trial
from image_classifier.training.recipes.head_trainer import LabelledFeatures
from image_classifier.training.recipes.trial import Task


def synthetic(images: int, features: int, classes: int) -> LabelledFeatures:
    """Return features as after a ReLU, classes that overlap."""
    random = np.random.default_rng(0)
    labels = random.integers(0, classes, images)
    centres = random.normal(0, 0.12, (classes, features))
    return LabelledFeatures(
        np.maximum(centres[labels] + random.normal(0, 1, (images, features)), 0).astype(np.float32), labels
    )


def main() -> None:
    """Search once and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("images", 3_000), ("features", 1_280), ("classes", 10), ("trials", 100)):
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    resolved = hyperparameters.parse({})
    data = synthetic(given.images, given.features, given.classes)
    start = np.random.default_rng(1).normal(0, 0.03, (given.features + 1, given.classes)).astype(np.float32)
    weights = np.ones(given.classes, np.float32)
    task = Task(data, trial.stratified_folds(data.labels, resolved.values.random_seed), weights, start)
    names = search_space.searched(resolved.values, resolved.sources)
    started, started_cpu = time.monotonic(), time.process_time()
    result = search.search(task, resolved.values, names, given.trials, None)
    seconds, cpu_seconds = time.monotonic() - started, time.process_time() - started_cpu
    for line in search_report.lines(result):
        print(line)
    states = Counter(one.outcome.state for one in result.trials)
    epochs = sum(len(one.outcome.scores) for one in result.trials)
    print(
        f"{given.images:,} images x {given.features:,} features x {given.classes} classes, {len(result.trials)} trials "
        f"({', '.join(f'{count} {state}' for state, count in states.items())}), {epochs} epochs: {seconds:.1f} s, "
        f"{cpu_seconds:.1f} s of CPU time"
    )


if __name__ == "__main__":
    main()
