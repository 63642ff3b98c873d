"""Transfer accuracy: stamps in five folds and solar cells, with negative controls.

    scripts/benchmark accuracy [--whole] [--json FILE]

Prints a table: mean accuracy of five folds on the stamps with the head alone, with random backbone weights, with
shuffled labels, and (`--whole`, some minutes) with the whole network tuned at learning rate 1e-4; and the
solar cells, head alone, on their held-out part. All with EfficientNet-Lite0 and the job's own code.
"""

import argparse
import json
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from image_classifier import archives
from image_classifier.class_folders import channel_listing
from image_classifier.class_folders.listing import Example, Listing
from image_classifier.contract import hyperparameters
from image_classifier.model_hub import packages, staging
from image_classifier.model_hub.staging import Options
from image_classifier.photographs import sample_sets
from image_classifier.training import fine_tuning
from image_classifier.training.data import dataset
from image_classifier.training.data.splits import DataSplits
from image_classifier.training.model import backbone
from image_classifier.training.stopping import StopSignal

FOLDS = 5
HEAD = {"train_only_top_layer": True, "epochs": 40, "learning_rate": 0.003}
WHOLE = {"train_only_top_layer": False, "epochs": 8, "learning_rate": 1e-4, "batch_size": 16}
CACHE = packages.cache_folder()


def folds(listing: Listing, seed: int = 0) -> list[DataSplits]:
    """Cut a listing into `FOLDS` stratified folds; each is the test channel once, never seen in training."""
    groups: list[list[Example]] = [[] for _ in range(FOLDS)]
    for label in range(len(listing.class_names)):
        members = [example for example in listing.examples if example.label == label]
        random.Random(seed + label).shuffle(members)
        for index, example in enumerate(members):
            groups[index % FOLDS].append(example)
    found = []
    for held in groups:
        rest = replace(listing, examples=tuple(e for other in groups if other is not held for e in other))
        training, validation = dataset.split(rest, 0.2, seed)
        found.append(DataSplits(training, validation, replace(listing, examples=tuple(held))))
    return found


def shuffled(data: DataSplits, seed: int) -> DataSplits:
    """Give the training and validation images each other's labels; the test images keep theirs."""

    def mix(listing: Listing) -> Listing:
        labels = [example.label for example in listing.examples]
        random.Random(seed).shuffle(labels)
        pairs = zip(listing.examples, labels, strict=True)
        return replace(listing, examples=tuple(replace(example, label=label) for example, label in pairs))

    return replace(data, training=mix(data.training), validation=mix(data.validation))


def accuracy(data: DataSplits, model: Path, given: Mapping[str, Any]) -> float:
    """Train as a job does; return the accuracy on the test part, which chose nothing."""
    values = hyperparameters.parse(given).values
    loaded = backbone.load(model, trainable=not values.train_only_top_layer, trust=False)
    trained = fine_tuning.train(data, loaded, values, StopSignal())
    assert trained.test is not None
    return trained.test.metrics["accuracy"]


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--whole", action="store_true", help="also tune the whole network")
    parser.add_argument("--json", type=Path, help="write the rows there too")
    given = parser.parse_args()
    rows: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as scratch:
        archive = staging.stage("lite0", CACHE / "lite0.tar.gz")
        model = archives.materialise(archive, Path(scratch) / "lite0")
        untrained = staging.stage("lite0", Path(scratch) / "random.tar.gz", Options(random_weights=True))
        noise = archives.materialise(untrained, Path(scratch) / "random")
        stamps = sample_sets.fetch("stamps", CACHE / "data" / "stamps")
        everything = channel_listing.list_channel(_together(stamps, Path(scratch) / "stamps"), "training")
        parts = folds(everything)
        sizes = Counter(example.label for example in everything.examples)
        rows["stamps, always the largest class"] = max(sizes.values()) / len(everything.examples)
        rows["stamps, head alone"] = _mean([accuracy(part, model, HEAD) for part in parts])
        rows["stamps, head alone, random weights"] = _mean([accuracy(part, noise, HEAD) for part in parts])
        wrong = [shuffled(part, index) for index, part in enumerate(parts)]
        rows["stamps, head alone, shuffled labels"] = _mean([accuracy(part, model, HEAD) for part in wrong])
        if given.whole:
            rows["stamps, whole network"] = _mean([accuracy(part, model, WHOLE) for part in parts])
        solar = sample_sets.fetch("solar", CACHE / "data" / "solar")
        whole = channel_listing.list_channel(solar / "train", "training")
        training, validation = dataset.split(whole, 0.2, 123)
        held_out = channel_listing.list_channel(solar / "held-out", "test", training.class_names)
        rows["solar cells, head alone, held out"] = accuracy(DataSplits(training, validation, held_out), model, HEAD)
    for name, value in rows.items():
        print(f"{name:<40} {value:.4f}")
    if given.json:
        given.json.write_text(json.dumps(rows, indent=2) + "\n")


def _together(folder: Path, into: Path) -> Path:
    for path in folder.glob("*/*/*"):
        target = into / path.parent.name / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)
    return into


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


if __name__ == "__main__":
    main()
