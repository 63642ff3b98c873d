"""Every family of the catalogue at full size with random weights: training, conversion, serving, and their cost.

    scripts/benchmark families [--write | --page] [--only NAME ...]

One network after the other, each step in a fresh process. Printed: what was found, a line a network. `--write` keeps it
in docs/reference/families.json and writes docs/reference/families.md and the figures that `scripts/models` shows; with
`--only` the other rows stay as they were.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from image_classifier import artifacts, tensorflow_start
from image_classifier.artifacts import ModelInfo
from image_classifier.resources.processors import available_processors
from tests.families import measured_models, page
from tests.families.page import Row, Run

TF1 = "MobileNet V1 1.0, TF1 format"
CASES = (
    *("MobileNet V1 0.25", "MobileNet V1 1.0", "MobileNet V2 1.0", "MobileNet V3 large", "ResNet V1 50"),
    *("ResNet V2 50", "Inception V3", "Inception-ResNet V2", "NASNet mobile", "EfficientNet V1 B0"),
    *("EfficientNet V2 B0", "EfficientNet-Lite0", "BiT R50x1", "DeiT tiny", "Swin tiny"),
    TF1,
)
ON_DEMAND = ("NASNet large",)
"""Measured only when named: it takes minutes and several GB."""
ALL = (*CASES, *ON_DEMAND)
SMALL_BATCH = {"NASNet large": 2}
"""Of networks of which more does not fit beside others."""


@dataclass(frozen=True)
class Network:
    """What a case is made of."""

    size: tuple[int, int]
    build: Any
    scaling: str = "normalize"
    dynamic: bool = False


def network_of(name: str) -> Network:
    """Return how to build the network of a case, and for which images."""
    from image_classifier.model_hub.converters import efficientnet_lite0
    from tests.families import bit, swin, vision_transformer
    from tests.families.architectures import ARCHITECTURES, settle

    def lite0(classes: int | None) -> Any:
        network = efficientnet_lite0.build(with_head=classes is not None)
        settle(network, (224, 224))
        return network

    if name == "EfficientNet-Lite0":
        return Network((224, 224), lite0, dynamic=True)
    if name == "BiT R50x1":
        return Network((224, 224), lambda classes: bit.build(classes=classes), dynamic=True)
    if name == "DeiT tiny":
        return Network((224, 224), lambda classes: vision_transformer.build(classes=classes), "standardize_on_imagenet")
    if name == "Swin tiny":
        return Network((224, 224), lambda classes: swin.build(classes=classes), "standardize_on_imagenet")
    found = ARCHITECTURES[name.removesuffix(", TF1 format")]
    return Network(found.size, found.build, dynamic=found.dynamic and name != TF1)


def make(folder: Path, name: str) -> dict[str, Any]:
    """Be the fresh process that stages, trains and converts; leaves `folder/model`."""
    tensorflow_start.start()
    from image_classifier.inference.openvino_model.conversion import NotConverted
    from tests.families import tf1_module, trial

    case, batch = network_of(name), SMALL_BATCH.get(name, 4)
    info = ModelInfo(image_size=case.size, pixel_scaling_method=case.scaling)
    network, staged = case.build(None), folder / "staged"
    if name == TF1:
        tf1_module.save(network, staged / "1")
        artifacts.write_model_info(staged, info)
    else:
        trial.stage(staged, network, info)
    found: dict[str, Any] = {"parameters": network.count_params(), "batch": batch}
    del network
    head = trial.train(staged, whole=False, size=case.size, images=batch, batch=batch)
    function = head.loaded.feature_function()
    found |= {"features": head.loaded.feature_count, "head_milliseconds": _milliseconds(lambda: function(head.pixels))}
    found["head_milliseconds"] /= batch
    last = trial.write(head, folder / "model")
    found["head_error"] = float(np.abs(trial.answers(last, head.pixels, "tensorflow") - head.probabilities).max())
    found |= {"step_milliseconds": "-", "training_megabytes": "-", "whole_error": "-"}
    if name != TF1:
        last = _train_whole(staged, folder, case, batch, found)
    found["saved_megabytes"] = sum(path.stat().st_size for path in (last / "1").rglob("*") if path.is_file()) / 1e6
    found["spread"] = found.pop("spread", float(np.ptp(head.probabilities, axis=0).max()))
    try:
        found["largest_difference"] = trial.convert(last).largest_difference
    except NotConverted as failure:
        found["not_converted"] = str(failure)
    if name != TF1:
        found["classes"] = _pretrained(name, case, folder / "classifier")
    return found


def _train_whole(staged: Path, folder: Path, case: Network, batch: int, found: dict[str, Any]) -> Path:
    from tests.families import trial

    whole = trial.train(staged, whole=True, size=case.size, images=batch, batch=batch)
    found["training_megabytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    last = trial.write(whole, folder / "model")
    found["whole_error"] = float(np.abs(trial.answers(last, whole.pixels, "tensorflow") - whole.probabilities).max())
    found["spread"] = float(np.ptp(whole.probabilities, axis=0).max())
    found["step_milliseconds"] = _milliseconds(whole.train_again, 2) / batch
    return last


def _pretrained(name: str, case: Network, folder: Path) -> int:
    """Serve the network as a pre-trained classifier; returns how many classes it has."""
    from tests.families import trial

    network = case.build(1001)
    classes = network.outputs[0].shape[-1]
    info = ModelInfo(image_size=case.size, pixel_scaling_method=case.scaling, output="logits")
    trial.stage(folder, network, info, classes)
    pixels = np.random.default_rng(0).integers(0, 256, (1, *case.size, 3), np.uint8)
    return int(trial.answers(folder, pixels, "tensorflow").shape[1])


def serve(folder: Path, engine: str, seconds: float) -> dict[str, Any]:
    """Be the fresh process that serves."""
    from image_classifier.inference.engines import EngineOptions
    from image_classifier.inference.predictor import Predictor

    predictor = Predictor.load(folder, options=EngineOptions(engine))
    predictor.warm_up()
    one = np.random.default_rng(0).integers(0, 256, (1, *predictor.info.image_size, 3), np.uint8)
    times: list[float] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end or len(times) < 3:
        times.append(_milliseconds(lambda: predictor.engine.probabilities(one), 1))
    status = Path("/proc/self/status").read_text()
    resident = next(line for line in status.splitlines() if line.startswith("VmRSS:")).split()[1]
    return {"rate": 1000 / statistics.median(times), "megabytes": int(resident) // 1024}


def _milliseconds(call: Any, times: int = 3) -> float:
    found = []
    for _ in range(times):
        started = time.perf_counter()
        call()
        found.append(1000 * (time.perf_counter() - started))
    return min(found)


def measure(name: str, seconds: float) -> Row:
    """Find out everything about one network."""
    with tempfile.TemporaryDirectory(prefix="families-") as scratch:
        folder = Path(scratch)
        made = _process("make", scratch, name)
        converts = "largest_difference" in made
        slow = _process("serve", str(folder / "model"), "tensorflow", seconds)
        fast = _process("serve", str(folder / "model"), "openvino", seconds) if converts else {}
    case = network_of(name)
    none, rejected = "not converted", "rejected: a TF1 module has no training mode"
    return Row(
        name=name,
        pixels=f"{case.size[0]}x{case.size[1]}",
        sizes="any" if case.dynamic else "this one",
        head_only=_works(made["head_error"]),
        whole_network=rejected if name == TF1 else _works(made["whole_error"]),
        pretrained=f"works, {made['classes']:,} classes" if name != TF1 else "not tried",
        openvino="converts" if converts else f"TensorFlow serves it: {made['not_converted']}",
        largest_difference=made.get("largest_difference", none),
        step_milliseconds=made["step_milliseconds"] if name != TF1 else "rejected",
        training_megabytes=made["training_megabytes"] if name != TF1 else "rejected",
        tensorflow_rate=slow["rate"],
        tensorflow_megabytes=slow["megabytes"],
        openvino_rate=fast.get("rate", none),
        openvino_megabytes=fast.get("megabytes", none),
        **{
            key: made[key]
            for key in ("features", "parameters", "saved_megabytes", "head_milliseconds", "batch", "spread")
        },
    )


def _works(error: float) -> str:
    return "works" if error < 1e-4 else f"served, p differs from training's by {error:.0e}"


def _process(*words: Any) -> dict[str, Any]:
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "TF_USE_LEGACY_KERAS": "1"}
    command = [sys.executable, __file__, "--process", json.dumps(words)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{words} failed: {done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _machine() -> str:
    model = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), "")
    return f"{available_processors()} CPUs, {model.partition(': ')[2] or platform.machine()}"


def main() -> None:
    """Measure, print, and keep what was found when asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--page", action="store_true", help="write the page from its data again, measure nothing")
    parser.add_argument("--only", nargs="+", choices=ALL, metavar="NAME", help=", ".join(ALL))
    parser.add_argument("--note", help="what the page shall say of how it was measured")
    parser.add_argument("--seconds", type=float, default=2.0, help="that an engine is asked for")
    parser.add_argument("--process", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.process:
        step, *words = json.loads(given.process)
        folder, *rest = words
        print(json.dumps(make(Path(folder), *rest) if step == "make" else serve(Path(folder), *rest)))
        return
    kept = page.read() if page.DATA.is_file() else Run(_machine(), {}, "")
    note = kept.note if given.note is None else given.note
    if given.page:
        _keep(replace(kept, note=note))
        return
    tensorflow_start.start()
    rows = dict(kept.rows) if given.only else {}
    for name in given.only or CASES:
        started = time.monotonic()
        rows[name] = measure(name, given.seconds)
        print(f"{time.monotonic() - started:.0f} s: {rows[name]}", flush=True)
        if given.write:
            _keep(Run(_machine(), {case: rows[case] for case in ALL if case in rows}, note))


def _keep(run: Run) -> None:
    page.write(run)
    measured_models.write(run)


if __name__ == "__main__":
    main()
