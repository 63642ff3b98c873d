"""Steps of scripts/test-gpu in the checked environment: devices, and the answers of a trained model on GPU and CPU.

Prints one line of JSON at the end of standard output, either `Probe` or `DeviceMeasurement`. Every figure is measured
in this process, or None.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from image_classifier import artifacts, imaging, tensorflow_start
from image_classifier.contract.opt_ml import Resources
from image_classifier.resources.processors import available_processors
from image_classifier.training.devices import accelerators, cuda_libraries
from image_classifier.untrusted_models.loader import load_untrusted

PRECISIONS = ("float32", "tf32", "float16")
"""float32 throughout; TensorFlow's default float32, with TF32 in matrix products on GPUs that support it; and float16
where TensorFlow's graph rewriter auto_mixed_precision finds it safe."""


@dataclass(frozen=True)
class Probe:
    """Devices and libraries in this environment."""

    tensorflow: str
    cpus: int
    gpus: list[str]
    driver: str | None
    libraries: dict[str, str | None]
    """Name to path; None for one that cannot be opened. Empty for a TensorFlow built for CPUs."""
    complaint: str | None
    """Which libraries are missing and why."""
    lines: list[str]
    """The log lines about devices with which a job starts."""


@dataclass(frozen=True)
class DeviceMeasurement:
    """Predictions and speed of one model on one device in one precision."""

    device: str
    precision: str
    probabilities: list[list[float]]
    """Of each image, (n, K)."""
    images_per_second: dict[int, float]
    """Batch size to throughput from pixels to probabilities, without decoding."""
    peak_memory: int | None
    """Peak memory of this process on the GPU in bytes, None on a CPU."""


def probe() -> Probe:
    """Check devices and libraries as a job does at its start, on an instance that should have a GPU."""
    tensorflow_start.start()
    import tensorflow as tf

    lines = accelerators.prepare(Resources(current_instance_type="local_gpu"))
    gpus = accelerators.describe(tf.config.list_physical_devices("GPU"))
    found = cuda_libraries.check() if tf.sysconfig.get_build_info().get("is_cuda_build") else ()
    known = accelerators.driver_report()
    return Probe(
        tensorflow=tf.__version__,
        cpus=available_processors(),
        gpus=[str(gpu) for gpu in gpus],
        driver=known[0].driver if known else None,
        libraries={one.name: str(one.path) if one.path else None for one in found},
        complaint=cuda_libraries.complaint(found),
        lines=lines,
    )


def measure(
    model: Path, images: Path, precision: str, device: str, batch_sizes: Sequence[int], seconds: float
) -> DeviceMeasurement:
    """Classify every image below a folder and time the network with random pixels, `seconds` for each batch size.

    A process has one device and one precision: `device` is `gpu` or `cpu`, `precision` one of `PRECISIONS`.
    """
    function = _load(model, precision, device)
    info = artifacts.read_model_info(model)
    paths = sorted(path for path in images.rglob("*") if path.suffix.lower() in imaging.EXTENSIONS)
    pixels = [info.load_pixels(path.read_bytes()) for path in paths]
    rows = [function(np.stack(pixels[start : start + 16])) for start in range(0, len(pixels), 16)]
    noise = np.random.default_rng(0).integers(0, 256, (max(batch_sizes), *info.image_size, 3), dtype=np.uint8)
    speeds = {size: size * _times_per_second(partial(function, noise[:size]), seconds) for size in batch_sizes}
    import tensorflow as tf

    peak = tf.config.experimental.get_memory_info("GPU:0")["peak"] if device == "gpu" else None
    return DeviceMeasurement(device, precision, np.concatenate(rows).tolist(), speeds, peak)


def _load(model: Path, precision: str, device: str) -> Callable[[NDArray[np.uint8]], NDArray[np.float32]]:
    tensorflow_start.start()
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if device == "cpu":
        tf.config.set_visible_devices([], "GPU")
    elif not gpus:
        raise SystemExit("TensorFlow sees no GPU.")
    else:
        tf.config.experimental.set_memory_growth(gpus[0], True)
    tf.config.experimental.enable_tensor_float_32_execution(precision != "float32")
    # Before loading: functions keep the options under which they were first called.
    tf.config.optimizer.set_experimental_options({"auto_mixed_precision": precision == "float16"})
    loaded = load_untrusted(artifacts.saved_model_folder(model), trust=False, info=artifacts.read_model_info(model))
    signature = loaded.signatures["pixels"]

    def probabilities(pixels: NDArray[np.uint8], keep: Any = loaded) -> NDArray[np.float32]:
        return np.asarray(signature(tf.constant(pixels))["probabilities"], np.float32)

    return probabilities


def _times_per_second(call: Callable[[], Any], seconds: float) -> float:
    # Warm-up: the first calls choose kernels and fill caches.
    for _ in range(2):
        call()
    started, done = time.perf_counter(), 0
    while not done or time.perf_counter() - started < seconds:
        call()
        done += 1
    return done / (time.perf_counter() - started)


def main() -> int:
    """Run `probe` or `measure`; return the exit code."""
    parser = argparse.ArgumentParser(prog="gpu_check")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("probe")
    measuring = commands.add_parser("measure")
    measuring.add_argument("model", type=Path)
    measuring.add_argument("images", type=Path)
    measuring.add_argument("--precision", choices=PRECISIONS, required=True)
    measuring.add_argument("--device", choices=("gpu", "cpu"), required=True)
    measuring.add_argument("--batch-sizes", type=int, nargs="+", required=True)
    measuring.add_argument("--seconds", type=float, default=2.0, help="for each batch size")
    given = vars(parser.parse_args())
    result: Probe | DeviceMeasurement = probe() if given.pop("command") == "probe" else measure(**given)
    print(json.dumps(asdict(result)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
