"""OpenVINO against TensorFlow, through the serving code: differences, speed, memory, time to the first answer.

    scripts/benchmark engines [--rounds N] [--seconds S]

EfficientNet-Lite0 with its ImageNet head, and MobileNetV2 with a head that is trained here, on photographs of stamps.
Every figure is of a fresh process; the engines take turns in every round. Printed: a Markdown table of medians, and
ratios to TensorFlow inside a round. Not measured: HTTP and decoding, which are the same for both.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from image_classifier import PROGRAM, archives
from image_classifier.inference.engines import EngineOptions
from image_classifier.model_hub import packages, staging
from image_classifier.photographs import sample_sets
from image_classifier.resources.processors import available_processors, has_bfloat16

CACHE = packages.cache_folder()
THREADS = 4
"""That ask for one image after another, for images/s."""
ENGINES = {
    "TensorFlow, float32": EngineOptions("tensorflow"),
    "OpenVINO, float32": EngineOptions("openvino"),
    "OpenVINO, bf16": EngineOptions("openvino", "bf16"),
}
TRAIN = ("train_only_top_layer=True", "epochs=30", "learning_rate=0.003", "validation_split_ratio=0.2")


@dataclass(frozen=True)
class Figures:
    """What one process measured."""

    ready_seconds: float
    """From the process's start to its first answer."""
    milliseconds: float
    """Median of one image after another."""
    images_per_second: float
    resident_megabytes: float


def measure(folder: Path, options: EngineOptions, images: Path, seconds: float) -> None:
    """Be the fresh process: answer, say so, be measured, and leave the probabilities beside the pixels."""
    from image_classifier.inference.predictor import Predictor

    predictor = Predictor.load(folder, options=options)
    predictor.warm_up()
    files, engine = sorted(images.rglob("*.png")), predictor.engine
    one = predictor.pixels(files[0].read_bytes())[None]
    engine.probabilities(one)
    print(json.dumps("ready"), flush=True)
    times = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        started = time.perf_counter()
        engine.probabilities(one)
        times.append(time.perf_counter() - started)
    rate = _under_load(lambda: engine.probabilities(one), seconds)
    status = Path("/proc/self/status").read_text()
    resident = int(next(line for line in status.splitlines() if line.startswith("VmRSS:")).split()[1]) / 1024
    answers = [engine.probabilities(predictor.pixels(path.read_bytes())[None])[0].tolist() for path in files]
    print(json.dumps([1000 * statistics.median(times), rate, resident, answers]), flush=True)


def _under_load(ask: Callable[[], object], seconds: float) -> float:
    end, counts = time.monotonic() + seconds, [0] * THREADS

    def work(number: int) -> None:
        while time.monotonic() < end:
            ask()
            counts[number] += 1

    threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / seconds


def run(folder: Path, options: EngineOptions, images: Path, seconds: float) -> tuple[Figures, np.ndarray]:
    """Measure in a fresh process; returns the figures and the probabilities of all images."""
    words = json.dumps([str(folder), asdict(options), str(images), seconds])
    started = time.monotonic()
    environment = {**os.environ, "PYTHONPATH": str(PROGRAM), "TF_CPP_MIN_LOG_LEVEL": "3"}
    with subprocess.Popen(
        [sys.executable, __file__, "--measure", words], env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline()) == "ready"
        ready = time.monotonic() - started
        milliseconds, rate, resident, rows = json.loads(process.stdout.readline())
    return Figures(ready, milliseconds, rate, resident), np.array(rows, np.float32)


def models(scratch: Path, stamps: Path) -> dict[str, Path]:
    """Make the two model folders, each with an IR."""
    scripts = Path(__file__).parents[2] / "scripts"
    archive = scratch / "lite0.tar.gz"
    subprocess.run([scripts / "stage-backbone", "lite0", "--with-head", "--output", archive], check=True)
    lite0 = archives.materialise(archive, scratch / "lite0")
    subprocess.run([scripts / "convert-model", lite0, "--images", stamps], check=True)
    backbone = staging.stage("mobilenetv2-160", CACHE / "mobilenetv2-160.tar.gz")
    words: list[str | Path] = ["--training", stamps, "--model", backbone, "--output", scratch / "job", *TRAIN]
    subprocess.run([scripts / "train-locally", *words], check=True, stdout=subprocess.DEVNULL)
    return {"EfficientNet-Lite0, 224 px": lite0, "MobileNetV2, 160 px": scratch / "job" / "model"}


def rows(name: str, measured: dict[str, list[Figures]], answers: dict[str, np.ndarray]) -> list[str]:
    """Format a model's part of the table."""
    base = measured["TensorFlow, float32"]
    found = []
    for engine in ENGINES:
        if engine not in measured:
            found.append(f"| {name} | {engine} | not on this CPU | | | | |")
            continue
        cells = []
        for field, form, upside_down in (
            ("milliseconds", "{:.1f}", True),
            ("images_per_second", "{:.0f}", False),
            ("resident_megabytes", "{:.0f}", True),
            ("ready_seconds", "{:.2f}", True),
        ):
            values = [getattr(figures, field) for figures in measured[engine]]
            ratios = [value / getattr(other, field) for value, other in zip(values, base, strict=True)]
            ratio = statistics.median(1 / ratio if upside_down else ratio for ratio in ratios)
            cells.append(form.format(statistics.median(values)) + (f" ({ratio:.1f}x)" if "OpenVINO" in engine else ""))
        difference = np.abs(answers[engine] - answers["TensorFlow, float32"]).max()
        cells.insert(0, f"{difference:.1e}" if "OpenVINO" in engine else "-")
        found.append(f"| {name} | {engine} | {' | '.join(cells)} |")
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        folder, options, images, seconds = json.loads(given.measure)
        measure(Path(folder), EngineOptions(**options), Path(images), seconds)
        return
    stamps = sample_sets.fetch("stamps", CACHE / "data" / "stamps") / "train"
    wanted = {name: options for name, options in ENGINES.items() if options.precision == "f32" or has_bfloat16()}
    with tempfile.TemporaryDirectory() as scratch:
        table = []
        for name, folder in models(Path(scratch), stamps).items():
            measured: dict[str, list[Figures]] = {engine: [] for engine in wanted}
            answers: dict[str, np.ndarray] = {}
            for _ in range(given.rounds):
                for engine, options in wanted.items():
                    figures, answers[engine] = run(folder, options, stamps, given.seconds)
                    measured[engine].append(figures)
            table += rows(name, measured, answers)
    images = len(next(iter(answers.values())))
    print(f"{available_processors()} CPUs, {given.rounds} rounds, {images} images, {THREADS} threads for images/s")
    print("| model | engine | largest Δp | ms, one image | images/s | resident MB | s to the first answer |")
    print("|---|---|---|---|---|---|---|")
    print("\n".join(table))


if __name__ == "__main__":
    main()
