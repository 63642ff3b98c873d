"""int8 beside float32 on photographs that chose nothing: accuracy with its paired interval, and other predictions.

    scripts/benchmark int8_accuracy [--models NAME ...] [--data NAME ...] [--epochs N] [--statistics N]

For each model and data set a head-only job in float32, then the first method of the ladder with training images, judged
on the held-out part of the data set. The bounds of the gate that its figures exceed are in the last column, whatever
the number of images. Half of the weights' range is what is used on a CPU without instructions for int8; the whole range
is left out on one.
"""

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from image_classifier import PROGRAM, artifacts
from image_classifier.artifacts import ModelInfo
from image_classifier.contract.opt_ml import OptMl
from image_classifier.evaluation import paired, stratified
from image_classifier.inference.openvino_model import (
    agreement,
    conversion,
    ir_record,
    nncf_network,
    precision_gate,
    quantisation,
)
from image_classifier.model_hub import packages, staging
from image_classifier.photographs import sample_sets
from image_classifier.resources import processors
from image_classifier.training.export import quantiser
from tests.benchmarks.serving import markdown

MODELS, DATA = ("lite0", "mobilenetv2-160"), ("solar", "stamps", "fashion")
MOST_IMAGES = 2000
"""Of each part of a data set, stratified."""
SETTINGS = {"train_only_top_layer": "True", "recipe": "builtin", "report": "False"}
COLUMNS = (
    *("model, data, range of the weights", "held out", "float32", "int8", "difference, 95 %", "other predictions"),
    *("calibration error", "largest difference", "last layer refitted on", "CPU s", "bounds exceeded"),
)


def chosen(folder: Path, count: int) -> list[tuple[Path, str]]:
    """Return at most `count` images of class folders with their classes, stratified; the same each time."""
    files = [(path, parent.name) for parent in sorted(folder.iterdir()) for path in sorted(parent.glob("*"))]
    names = sorted({name for _, name in files})
    order = stratified.by_class(np.array([names.index(name) for _, name in files], np.int64), 0)
    return [files[row] for row in order[stratified.evenly_spaced(len(files), min(count, len(files)))]]


def train(model: str, training: Sequence[tuple[Path, str]], epochs: int, scratch: Path) -> Path:
    """Run a job on the training images, and return its model folder.

    Raises:
        RuntimeError: It failed; the text is the end of its log.
    """
    tree = OptMl(scratch)
    tree.lay_out({**SETTINGS, "epochs": str(epochs)})
    for path, name in training:
        copy = tree.channel_dir("training") / name / path.name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    tree.channel_dir("model").mkdir(exist_ok=True)
    with contextlib.redirect_stdout(sys.stderr):
        staging.stage(model, tree.channel_dir("model") / "model.tar.gz")
    environment = {**os.environ, "SAGEMAKER_BASE_DIR": str(scratch)}
    command = [sys.executable, str(PROGRAM / "train")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return tree.model_dir


def pixels(images: Sequence[tuple[Path, str]], info: ModelInfo) -> NDArray[np.uint8]:
    """Return the pixels of images as the model takes them."""
    return np.stack([info.load_pixels(path.read_bytes()) for path, _ in images])


def row(name: str, model: Path, data: Path, statistics: int, whole_range: bool) -> str:
    """Quantise the float32 IR of a model folder, judge it, and return a row of the table."""
    info, names = artifacts.read_model_info(model), list(artifacts.read_labels(model))
    held_out = chosen(data / "held-out", MOST_IMAGES)
    labels, judged = np.array([names.index(label) for _, label in held_out], np.int64), pixels(held_out, info)
    float32 = quantisation.float32_answers(model, info, judged)
    if float32 is None:
        raise RuntimeError(f"{name} has no float32 IR")
    given = pixels(chosen(data / "train", statistics), info)
    began = time.process_time()
    network = nncf_network.Network(ir_record.folder_of(model), given, float("inf"), whole_range=whole_range)
    images = network.write(nncf_network.FAST, quantisation.partial_folder(model))
    seconds = time.process_time() - began
    found = conversion.answers(conversion.load(quantisation.partial_folder(model), info), judged)
    gate = precision_gate.judge(labels, float32, found)
    right = [agreement.two_columns(answers).argmax(axis=1) == labels for answers in (float32, found)]
    compared = paired.count(*right)
    return markdown.line(
        name,
        f"{gate.images:,}",
        f"{gate.accuracy_f32:.4f}",
        f"{gate.accuracy:.4f}",
        f"{compared.difference:+.4f} ({compared.interval.low:+.4f} to {compared.interval.high:+.4f})",
        f"{100 * gate.label_flips:.2f} %",
        f"{gate.calibration_change:+.4f}",
        f"{gate.largest_difference:.3f}",
        str(images),
        f"{seconds:.1f}",
        ", ".join(gate.failed_on) or "none",
    )


def main(words: Sequence[str] | None = None) -> int:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(
        prog="scripts/benchmark int8_accuracy",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--models", nargs="+", default=MODELS, metavar="NAME")
    parser.add_argument("--data", nargs="+", default=DATA, choices=DATA)
    parser.add_argument("--epochs", type=int, default=5)
    most = quantiser.STATISTICS_IMAGES
    parser.add_argument("--statistics", type=int, default=most, help="training images to quantise with")
    given = parser.parse_args(words)
    ranges = [True, False] if processors.int8_features() else [False]
    print("\n".join(markdown.head(*COLUMNS)), flush=True)
    for name in given.data:
        data = sample_sets.fetch(name, packages.cache_folder() / "data" / name, announce=lambda _: None)
        for model in given.models:
            with tempfile.TemporaryDirectory(prefix="int8-accuracy-") as scratch:
                folder = train(model, chosen(data / "train", MOST_IMAGES), given.epochs, Path(scratch))
                for whole_range in ranges:
                    label = f"{model}, {name}, {'whole' if whole_range else 'half'}"
                    print(row(label, folder, data, given.statistics, whole_range), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
