"""A job of a few seconds, started as the platform does, and killed like an interrupted spot instance."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from image_classifier.contract.opt_ml import OptMl
from tests.support.environments import unmeasured
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[3]
SETTINGS: dict[str, Any] = {
    "train_only_top_layer": False,
    "optimizer": "adam",
    "batch_size": 3,
    "dropout_rate": 0.2,
    "deterministic": True,
    # In minutes: less than any step takes, so that a checkpoint follows each.
    "checkpoint_interval": 1e-6,
}
_MAKE_INPUTS = """
import sys
from pathlib import Path
from image_classifier import tensorflow_start
tensorflow_start.start()
from image_classifier.artifacts import ModelInfo
from tests.unit.training import small

folder = Path(sys.argv[1])
info = ModelInfo(image_size=(32, 40), source="test network")
small.save_backbone(folder / "model", info, small.build_network((None, None)))
small.write_images(folder / "training", count=16)
"""


def make_inputs(folder: Path) -> Path:
    """Write what all jobs are given: 48 images of 3 classes, and a network with BatchNorm; returns the folder."""
    environment = unmeasured(PYTHONPATH=f"{ROOT / 'container'}:{ROOT}")
    command = [sys.executable, "-c", _MAKE_INPUTS, str(folder)]
    subprocess.run(command, check=True, env=environment, capture_output=True)
    return folder


def lay_out(tree: Path, inputs: Path, **hyperparameters: Any) -> Path:
    """Make the platform's tree of a job, with a folder for checkpoints."""
    given = {name: str(value) for name, value in {**SETTINGS, **hyperparameters}.items()}
    OptMl(tree).lay_out(given, checkpoints=True)
    shutil.copytree(inputs, tree / "input" / "data", dirs_exist_ok=True)
    return tree


@dataclass
class Running:
    """A job's process, with all that it starts; gone when the block is left."""

    tree: Path
    process: subprocess.Popen[bytes]
    log_file: Path
    errors_file: Path
    started: float

    def __enter__(self) -> "Running":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def log(self) -> str:
        """Return what it has printed so far."""
        return self.log_file.read_text(encoding="utf-8", errors="replace")

    def age(self) -> float:
        """Return the seconds since its start."""
        return time.monotonic() - self.started

    def kill(self) -> bool:
        """End it and its children at once, as when the machine is taken away; False when it had ended before."""
        alive = self.process.poll() is None
        if alive:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        return alive

    def kill_when(self, holds: Callable[[], bool], what: str, delay: float = 0.0) -> None:
        """Wait for a moment and kill it `delay` seconds later; AssertionError when it ends before, or never comes."""

        def came() -> bool:
            assert self.process.poll() is None, f"it ended before {what}: {self.errors_file.read_text()[-2000:]}"
            return holds()

        with self:
            wait_until(came, 120, what, pause=0.0005)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(delay)
            assert self.kill(), f"it ended within {delay} s of {what}"

    def finish(self, seconds: float = 180) -> str:
        """Wait for its good end and return its log; what each thread does is in the message when it never ends."""
        with self:
            try:
                code = self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.process.send_signal(signal.SIGABRT)
                code = self.process.wait(30)
        assert code == 0, f"exit code {code}; {self.log()[-1000:]}\n{self.errors_file.read_text()[-12000:]}"
        return self.log()


def start(tree: Path, *command: str) -> Running:
    """Start the training program on a tree; `command` stands for `container/train` when given."""
    number = len(list(tree.glob("log-*")))
    log, errors = tree / f"log-{number}", tree / f"errors-{number}"
    environment = unmeasured(SAGEMAKER_BASE_DIR=str(tree), PYTHONFAULTHANDLER="1")
    with log.open("wb") as standard_output, errors.open("wb") as standard_error:
        process = subprocess.Popen(
            [sys.executable, *(command or [str(ROOT / "container" / "train")])],
            env=environment,
            stdout=standard_output,
            stderr=standard_error,
            start_new_session=True,
        )
    return Running(tree, process, log, errors, time.monotonic())


def move_to_another_machine(tree: Path) -> None:
    """Leave what the platform brings back to a restarted job: its inputs and its checkpoints."""
    for name in ("model", "output"):
        shutil.rmtree(tree / name, ignore_errors=True)
