"""The gate of int8 for every family that OpenVINO converts, with random weights: which method passes, and the figures.

    scripts/benchmark int8 [--only NAME ...] [--small] [--json FILE] [--keep FOLDER]

A line a network, each in a fresh process. The head is fitted on features of synthetic images of three colours, so that
the classes are apart as in a real job; the weights before it are random. `--small` takes the first blocks of each.
`--keep` leaves the models, for example for `scripts/benchmark serving.precisions FOLDER/NAME/model --engine-only`.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from image_classifier import artifacts, tensorflow_start
from image_classifier.artifacts import ModelInfo
from image_classifier.inference.openvino_model import precision_gate, precision_record, quantisation
from image_classifier.inference.openvino_model.conversion import NotConverted
from image_classifier.inference.openvino_model.nncf_network import STEPS, NotQuantised
from image_classifier.inference.openvino_model.quantisation import QuantisationImages, TimeLimits
from tests.benchmarks import families

LIMITS = TimeLimits(another_rung=1200.0, whole=1200.0)
STATISTICS, GATE = 128, 300
Size = tuple[int, int]


def images(count: int, size: Size, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return noisy images, uint8 (n, h, w, 3), and which of three colours each has more of."""
    noise = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    pixels = noise.uniform(30, 180, (count, *size, 3)).astype(np.float32)
    pixels[np.arange(count), :, :, labels] += noise.uniform(10, 70, (count, 1, 1))
    return np.clip(pixels, 0, 255).astype(np.uint8), labels.astype(np.int64)


@dataclass(frozen=True)
class Extent:
    """How much is computed for a network."""

    statistics: int = STATISTICS
    gate: int = GATE
    steps: tuple[str, ...] = STEPS


WHOLE = Extent()


def judge(folder: Path, network: Any, size: Size, scaling: str = "normalize", extent: Extent = WHOLE) -> dict[str, Any]:
    """Stage a network, fit a head, convert and quantise it; return the entry of the model info, or the reason.

    Without an IR the reason is the only entry.
    """
    from image_classifier.heads import linear_head
    from tests.families import trial

    staged = trial.stage(folder / "staged", network, ModelInfo(image_size=size, pixel_scaling_method=scaling))
    done = trial.train(staged, whole=False, size=size, images=3, batch=3)
    statistics, labels = images(extent.statistics, size, 1)
    function = done.loaded.feature_function()
    features = np.concatenate([np.asarray(function(some)) for some in np.array_split(statistics, 16)])
    head = linear_head.fit(features, labels, 3, 1.0)
    done.head.get_layer("classes").set_weights([head.kernel, head.bias])
    model = trial.write(done, folder / "model")
    try:
        trial.convert(model)
    except NotConverted as failure:
        return {"left_out": f"no float32 IR: {failure}"}
    pixels, expected = images(extent.gate, size, 2)
    info = artifacts.read_model_info(model)
    try:
        given = QuantisationImages(statistics, pixels, expected)
        record = quantisation.quantise(model, info, given, LIMITS, extent.steps)
    except NotQuantised as failure:
        return {"left_out": str(failure), "gate": asdict(failure.gate) if failure.gate else None}
    # A model that is kept is served with it.
    artifacts.write_model_info(model, precision_record.with_record(info, precision_record.INT8, record))
    return asdict(record)


def _judge_by_name(name: str, small: bool, keep: Path | None) -> dict[str, Any]:
    tensorflow_start.start()
    from tests.families.architectures import ARCHITECTURES

    with tempfile.TemporaryDirectory(prefix="int8-") as scratch:
        folder = Path(scratch)
        if keep:
            folder = keep / name.replace(" ", "-")
            folder.mkdir(parents=True)
        if small:
            found = ARCHITECTURES[name]
            return judge(folder, found.build_small(), found.small_size)
        case = families.network_of(name)
        return judge(folder, case.build(None), case.size, case.scaling)


def line(name: str, entry: Mapping[str, Any]) -> str:
    """Return a row of the table: family, method, and the figures of its gate or the reason."""
    gate = entry.get("gate")
    figures = "-"
    if gate:
        found = precision_record.Gate(**{**gate, "failed_on": tuple(gate["failed_on"])})
        figures = f"{precision_gate.sentence(found)}, largest difference {found.largest_difference:.3f}"
    method = entry["steps"][-1] if "steps" in entry else f"left out: {entry['left_out']}"
    return f"| {name} | {method} | {figures} | {entry.get('seconds', '-')} |"


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=families.ALL, metavar="NAME", help=", ".join(families.ALL))
    parser.add_argument("--small", action="store_true", help="the first blocks of each network, on small images")
    parser.add_argument("--json", type=Path, help="write the entries there too")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep the models in a new folder each below it")
    parser.add_argument("--process", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.process:
        print(json.dumps(_judge_by_name(given.process, given.small, given.keep)))
        return
    rows: dict[str, Any] = {}
    for name in given.only or [name for name in families.CASES if name != families.TF1]:
        command = [sys.executable, "-m", "tests.benchmarks.int8", "--process", name, *(["--small"] * given.small)]
        command += ["--keep", str(given.keep)] if given.keep else []
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "TF_USE_LEGACY_KERAS": "1"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        last = done.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        rows[name] = json.loads(done.stdout.splitlines()[-1]) if not done.returncode else {"left_out": last[0]}
        print(line(name, rows[name]), flush=True)
        if given.json:
            given.json.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
