"""Time saved by computing features once, with the same head as training through the backbone.

    scripts/benchmark frozen_backbone [--images N] [--epochs N]

On solar cells with EfficientNet-Lite0: seconds of one pass over the images, of a training of 10 epochs on features
(pass included), and of the same training with the frozen backbone run in every epoch; validation accuracy of both.
"""

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from image_classifier import archives
from image_classifier.class_folders import channel_listing
from image_classifier.contract import hyperparameters
from image_classifier.model_hub import packages, staging
from image_classifier.photographs import sample_sets
from image_classifier.training import fine_tuning, preparation
from image_classifier.training.data import dataset, decoding
from image_classifier.training.data.batches import Rows
from image_classifier.training.data.splits import DataSplits
from image_classifier.training.loop import fitting
from image_classifier.training.loop.fitting import Session
from image_classifier.training.model import backbone, classifier
from image_classifier.training.model.classifier import Network
from image_classifier.training.stopping import StopSignal

CACHE = packages.cache_folder()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=10)
    given = parser.parse_args()
    values = hyperparameters.parse({"train_only_top_layer": True, "epochs": given.epochs}).values
    solar = sample_sets.fetch("solar", CACHE / "data" / "solar")
    listing = channel_listing.list_channel(solar / "train", "training")
    chosen = np.random.default_rng(0).permutation(len(listing.examples))[: given.images]
    listing = replace(listing, examples=tuple(listing.examples[index] for index in chosen))
    training, validation = dataset.split(listing, 0.2, values.random_seed)
    data = DataSplits(training, validation, None)
    with tempfile.TemporaryDirectory() as scratch:
        folder = archives.materialise(staging.stage("lite0", CACHE / "lite0.tar.gz"), Path(scratch) / "lite0")
        loaded = backbone.load(folder, trainable=False, trust=False)
        one_pass = _one_pass(loaded, data, values)
        short = fine_tuning.train(data, loaded, values, StopSignal())
        long_seconds, long_accuracy = _the_long_way(loaded, data, values)
    short_accuracy = short.history.best["val_accuracy"]
    print(f"images {len(chosen)}, epochs {given.epochs}")
    print(f"one pass over the images      {one_pass:8.1f} s")
    print(f"features once, then the head    {short.seconds:8.1f} s   {short.seconds / one_pass:.2f} passes")
    print(f"backbone in every epoch         {long_seconds:8.1f} s   {long_seconds / one_pass:.2f} passes")
    print(f"validation accuracy             {short_accuracy:.4f} and {long_accuracy:.4f}")


def _one_pass(loaded: backbone.Backbone, data: DataSplits, values: hyperparameters.Hyperparameters) -> float:
    session = Session()
    network = preparation.feature_network(loaded, values, session, data)
    prepare = preparation.prepare_function(loaded, values, session, network)
    # The first batch pays for tracing, which belongs to the start-up.
    prepare(replace(data.training, examples=data.training.examples[:32]), "Warm-up")
    return sum(prepare(part, "One pass").seconds for part in (data.training, data.validation))


def _the_long_way(
    loaded: backbone.Backbone, data: DataSplits, values: hyperparameters.Hyperparameters
) -> tuple[float, float]:
    started = time.monotonic()
    decoder = decoding.Decoder(loaded.info.image_size, values.image_resize_interpolation)
    rows = []
    for part in (data.training, data.validation):
        labels = np.array([example.label for example in part.examples], np.int64)
        rows.append(Rows(decoding.CachedImages(decoder, part.examples), labels))
    names = data.training.class_names
    network = Network(classifier.build_head(values, loaded.feature_count, len(names)), loaded)
    history = fitting.fit(network, values, rows[0], rows[1], names, Session())
    return time.monotonic() - started, history.best["val_accuracy"]


if __name__ == "__main__":
    main()
