"""What a training job costs, and photographs for it: shared by the benchmarks of a job with and without something."""

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from image_classifier import PROGRAM
from image_classifier.contract.opt_ml import OptMl
from image_classifier.model_hub import packages, staging
from image_classifier.photographs import sample_sets

QUALITY = 92
"""Of the JPEGs."""


@dataclass(frozen=True)
class Job:
    """A job that has run."""

    seconds: float
    cpu_seconds: float
    """Those of its child processes included."""
    log: str


def solar_cells() -> list[Path]:
    """Fetch the photographs of solar cells, and return them in order."""
    solar = sample_sets.fetch("solar", packages.cache_folder() / "data" / "solar")
    return sorted(path for path in solar.rglob("*") if path.is_file())


def cut(path: Path, draws: np.random.Generator) -> Image.Image:
    """Return four fifths of the height and the width of a photograph, at a drawn place."""
    with Image.open(path) as opened:
        image = opened.convert("RGB")
    width, height = image.size
    left, top = draws.integers(0, (width // 5, height // 5))
    return image.crop((left, top, left + 4 * width // 5, top + 4 * height // 5))


def run(settings: Mapping[str, str], channels: Mapping[str, Path], program: Path = PROGRAM) -> Job:
    """Run a job of a program on EfficientNet-Lite0 with these hyperparameters and channels.

    Raises:
        RuntimeError: It failed; the text is the end of its log.
    """
    with tempfile.TemporaryDirectory(prefix="job-cost-") as scratch:
        tree = OptMl(Path(scratch))
        tree.lay_out(dict(settings))
        for name, folder in channels.items():
            tree.channel_dir(name).symlink_to(folder)
        tree.channel_dir("model").mkdir()
        staging.stage("lite0", tree.channel_dir("model") / "lite0.tar.gz")
        # PYTHONPATH may name this working tree, which another revision's program must not import.
        environment = {**os.environ, "SAGEMAKER_BASE_DIR": scratch, "PYTHONPATH": os.fspath(program)}
        before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        command = [sys.executable, str(program / "train")]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        seconds, after = time.monotonic() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise RuntimeError(f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return Job(seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stdout)
