"""Three jobs in a row, each on a third of the photographs and on the previous result: held-out accuracy, size, speed.

    scripts/benchmark generations [--data solar] [--whole] [--json FILE]

EfficientNet-Lite0, each job by scripts/train-locally with the held-out photographs as its test channel, which choose
nothing. Ends with 1 when the last generation is less accurate than the first.
"""

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from image_classifier.inference.predictor import Predictor
from image_classifier.model_hub import packages
from image_classifier.photographs import sample_sets

PROJECT = Path(__file__).parents[2]
CACHE = packages.cache_folder()
GENERATIONS = 3
HEAD = ("train_only_top_layer=True", "epochs=20", "learning_rate=0.003")
WHOLE = ("epochs=3", "learning_rate=0.0001", "batch_size=16")


def divide(folder: Path, into: Path) -> list[Path]:
    """Deal out the images of class folders, each class on its own, to `GENERATIONS` folders."""
    for class_folder in sorted(folder.iterdir()):
        images = sorted(class_folder.iterdir())
        random.Random(0).shuffle(images)
        for index, image in enumerate(images):
            target = into / str(index % GENERATIONS) / class_folder.name
            target.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(image, target / image.name)
    return sorted(into.iterdir())


def train(training: Path, held_out: Path, model: Path, output: Path, settings: tuple[str, ...]) -> dict[str, Any]:
    """Run a job; return what it measured and what it left."""
    command = [str(PROJECT / "scripts" / "train-locally"), "--training", str(training), "--test", str(held_out)]
    command += ["--model", str(model), "--output", str(output), *settings]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    metrics = json.loads((output / "output/data/metrics.json").read_text())
    info = json.loads((output / "model/__model_info__.json").read_text())
    saved_model = output / "model" / "1"
    return {
        "images": sum(info["data"]["classes"].values()),
        "held_out_accuracy": metrics["test_accuracy"],
        "graph_kilobytes": (saved_model / "saved_model.pb").stat().st_size / 1e3,
        "weights_megabytes": sum(path.stat().st_size for path in (saved_model / "variables").iterdir()) / 1e6,
        "served_milliseconds": _milliseconds(output / "model", next(held_out.glob("*/*")).read_bytes()),
        "head": info["head"],
        "parents": len(info["parents"]),
    }


def _milliseconds(model: Path, image: bytes) -> float:
    predictor = Predictor.load(model)
    predictor.warm_up()
    times = []
    for _ in range(50):
        started = time.perf_counter()
        predictor.predict([image])
        times.append(time.perf_counter() - started)
    return 1000 * sorted(times)[len(times) // 2]


def main() -> int:
    """Measure and print the table; return the process's exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", choices=("solar", "stamps"), default="solar")
    parser.add_argument("--whole", action="store_true", help="tune the whole network in each generation")
    parser.add_argument("--json", type=Path, help="write the rows there too")
    given = parser.parse_args()
    photographs = sample_sets.fetch(given.data, CACHE / "data" / given.data)
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        model = Path(scratch) / "lite0.tar.gz"
        stage = [str(PROJECT / "scripts" / "stage-backbone"), "lite0", "--output", str(model)]
        subprocess.run(stage, check=True, stdout=subprocess.DEVNULL)
        for number, part in enumerate(divide(photographs / "train", Path(scratch) / "parts"), start=1):
            output = Path(scratch) / f"generation-{number}"
            rows.append(train(part, photographs / "held-out", model, output, WHOLE if given.whole else HEAD))
            model = output / "model"
            cells = (
                f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
                for name, value in rows[-1].items()
            )
            print(f"generation {number}: {', '.join(cells)}", flush=True)
    if given.json:
        given.json.write_text(json.dumps(rows, indent=2) + "\n")
    return int(rows[-1]["held_out_accuracy"] < rows[0]["held_out_accuracy"])


if __name__ == "__main__":
    sys.exit(main())
