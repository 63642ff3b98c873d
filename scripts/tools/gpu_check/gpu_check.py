"""`scripts/test-gpu`: devices and libraries, two training jobs, and answers on the GPU compared with the CPU's."""

import argparse
import json
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from image_classifier import PROGRAM, durable_files, own_files
from image_classifier.contract import metrics
from image_classifier.contract.errors import AlgorithmError, ExplainedError, UserError, last_line, report_and_exit_code
from image_classifier.contract.opt_ml import OptMl, Resources
from image_classifier.model_hub import packages, staging
from image_classifier.photographs import sample_sets
from tools.gpu_check import gpu_report
from tools.gpu_check.environments import (
    DockerImage,
    Environment,
    NoGpuError,
    ThisEnvironment,
    reject_machine_without_gpu,
)
from tools.gpu_check.gpu_report import Report

JOBS = {"head only": "True", "whole network": "False"}
"""What is trained, and the value of train_only_top_layer."""
PRECISIONS = ("float32", "tf32", "float16")
"""See `image_classifier.training.devices.gpu_check`."""


@dataclass(frozen=True)
class Extent:
    """How much is checked."""

    images: int
    """Photographs of each class to train on; a quarter as many are classified."""
    batch_sizes: Sequence[int]
    seconds: float
    """How long each batch size is timed."""
    model_id: str


def check(environment: Environment, extent: Extent) -> Report:
    """Run every step and return the findings; a step that fails is the last one, and the report has its reason.

    Raises:
        NoGpuError: Docker has no GPU to give.
        PlatformError: Docker or the package index does not answer.
        UserError: The image does not exist.
    """
    checked = environment.identity()
    report = Report(checked.name, checked.id, checked.commit, dry_run=not environment.gpu)
    try:
        with tempfile.TemporaryDirectory(prefix="test-gpu-") as scratch:
            _run_steps(environment, extent, Path(scratch), report)
    except AlgorithmError as error:
        report.add("ends early", str(error), passed=False)
    return report


def _run_steps(environment: Environment, extent: Extent, scratch: Path, report: Report) -> None:
    _announce("Looking for devices and libraries ...")
    probe = environment.ask("probe")
    gpu_report.add_probe(report, probe)
    if environment.gpu and not probe["gpus"]:
        raise AlgorithmError(f"TensorFlow uses no GPU. {' '.join(probe['lines'])}")
    photographs = some_photographs(scratch, extent.images)
    model = staging.stage(extent.model_id, scratch / "model.tar.gz")
    for name, head_only in JOBS.items():
        _announce(f"Training one epoch, {name} ...")
        tree = lay_out(scratch / name.replace(" ", "-"), photographs / "train", model, head_only)
        _train(environment, name, tree, report)
    device = "gpu" if environment.gpu else "cpu"
    timing = ["--seconds", str(extent.seconds), "--batch-sizes", *map(str, extent.batch_sizes)]
    measured: dict[str, Any] = {}
    for precision in PRECISIONS if environment.gpu else ("float32", "float16"):
        _announce(f"Classifying in {precision} ...")
        options = ["--precision", precision, "--device", device, *timing]
        measured[precision] = environment.ask(
            "measure", *options, model=tree.model_dir, images=photographs / "held-out"
        )
    _announce("Classifying on the CPU for comparison ...")
    plain = ["--precision", "float32", "--device", "cpu", "--seconds", "0", "--batch-sizes", "1"]
    on_cpu = environment.ask("measure", *plain, model=tree.model_dir, images=photographs / "held-out")
    gpu_report.add_answers(report, measured, on_cpu["probabilities"])


def some_photographs(scratch: Path, images: int) -> Path:
    """Copy solar cells: `train/` with `images` of each class, `held-out/` with a quarter as many."""
    everything = sample_sets.fetch("solar", packages.cache_folder() / "data" / "solar")
    return sample_sets.some(everything, scratch / "photographs", {"train": images, "held-out": max(images // 4, 4)})


def lay_out(base: Path, training: Path, model: Path, head_only: str) -> OptMl:
    """Lay out `base` as the platform mounts /opt/ml, with copies, since links would lead out of a container."""
    tree = OptMl(base)
    values = {"train_only_top_layer": head_only, "epochs": "1", "batch_size": "16"}
    tree.lay_out(values, Resources(network_interface_name="lo"))
    shutil.copytree(training, tree.channel_dir("training"))
    tree.channel_dir("model").mkdir()
    shutil.copyfile(model, tree.channel_dir("model") / "model.tar.gz")
    return tree


def _train(environment: Environment, name: str, tree: OptMl, report: Report) -> None:
    started = time.monotonic()
    done = environment.train(tree.base)
    if done.returncode:
        raise AlgorithmError(f"training, {name}, exited with code {done.returncode}: {last_line(done.stderr)}")
    seconds = time.monotonic() - started
    images = sum(path.is_file() for path in tree.channel_dir("training").rglob("*"))
    gpu_report.add_job(report, name, done.stdout, epoch_seconds(done.stdout), seconds, images)


def epoch_seconds(log: str) -> float | None:
    """Return the seconds of an epoch from a job's log, by the regular expression that SageMaker would use."""
    regexes = {definition["Name"]: definition["Regex"] for definition in metrics.definitions()}
    found = re.search(regexes["training_duration_per_epoch"], log)
    return float(found[1]) if found else None


def _announce(step: str) -> None:
    print(step, file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/test-gpu",
        description="Check training and inference on this machine's GPU: devices, libraries, precision, speed, memory.",
        epilog="--here checks the active virtual or conda environment, else .venv, which is for CPUs.\n"
        "Exit code 0: all passes; 1: something fails; 2: no GPU.\n\n"
        "examples:\n  scripts/test-gpu image-classifier:gpu\n  scripts/test-gpu --here --device cpu",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("image", metavar="IMAGE", nargs="?", help="a Docker image such as image-classifier:gpu")
    where.add_argument("--here", action="store_true", help="check this Python environment, without Docker")
    parser.add_argument("--output", type=Path, metavar="FILE", help="JSON (default: run/test-gpu-<time>.json)")
    parser.add_argument("--images", type=int, default=200, help="photographs of each class (default: 200)")
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[1, 8, 32, 128], metavar="N")
    parser.add_argument("--model-id", default="lite0", help="a backbone of scripts/stage-backbone (default: lite0)")
    parser.add_argument("--seconds", type=float, default=3.0, help="to time each batch size for (default: 3)")
    parser.add_argument("--device", choices=("gpu", "cpu"), default="gpu", help="cpu: a dry run without a GPU")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `scripts/test-gpu`; 0 when all passes, 1 when something fails, 2 when there is no GPU."""
    given = _parser().parse_args(arguments)
    output = given.output or PROGRAM.parent / "run" / f"test-gpu-{time.strftime('%Y%m%d-%H%M%S')}.json"
    gpu = given.device == "gpu"
    environment = ThisEnvironment(gpu) if given.here else DockerImage(given.image, gpu)
    try:
        own_files.reject_foreign_file(output, "--output", "a report", gpu_report.is_report)
        if reason := own_files.unwritable(output.parent):
            raise UserError(f"--output {output} cannot be written: {reason}. Give a file in a folder of yours.")
        if gpu:
            reject_machine_without_gpu(environment={} if given.here else None)
        report = check(environment, Extent(given.images, given.batch_sizes, given.seconds, given.model_id))
    except NoGpuError as error:
        print(f"no GPU: {error}. Nothing was tested.", file=sys.stderr)
        return 2
    except ExplainedError as error:
        return report_and_exit_code(error)
    output.parent.mkdir(parents=True, exist_ok=True)
    durable_files.write_bytes(output, f"{json.dumps(report.as_json(), indent=2)}\n".encode())
    print(report.table())
    print(f"Written to {output}")
    return 0 if report.passed else 1


if __name__ == "__main__":
    sys.exit(main())
