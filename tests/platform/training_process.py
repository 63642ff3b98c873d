"""`container/train` as SageMaker starts it: on a folder tree, to its end or watched and signalled while it runs."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.platform.serving import ROOT
from tests.support.waiting import wait_until

COLOURS = {"blue": (20, 20, 200), "red": (200, 20, 20)}


def run_train(tree: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the training program on a platform tree."""
    environment = {**os.environ, "SAGEMAKER_BASE_DIR": str(tree), **variables}
    command = [sys.executable, str(ROOT / "container" / "train")]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=500)


def make_tree(base: Path, classes: dict[str, tuple[int, int, int]], count: int = 12, **hyperparameters: Any) -> Path:
    """Lay out a tree whose training channel has images of one colour per class; a report is left out by default.

    A report costs such a job half of its time.
    """
    for number, (name, colour) in enumerate(classes.items()):
        folder = base / "input" / "data" / "training" / name
        folder.mkdir(parents=True)
        for index in range(count):
            shade = tuple(max(0, min(255, value + 3 * index - number)) for value in colour)
            Image.new("RGB", (50, 40), shade).save(folder / f"{index:02}.jpg")
    config = base / "input" / "config"
    config.mkdir(parents=True)
    (config / "hyperparameters.json").write_text(json.dumps({"report": "False", **hyperparameters}))
    return base


def failure(tree: Path) -> str:
    """Read the failure file."""
    return (tree / "output" / "failure").read_text()


def link_backbone(tree: Path, archive: Path) -> None:
    """Put an archive into the model channel."""
    (tree / "input" / "data" / "model").mkdir(parents=True)
    (tree / "input" / "data" / "model" / "backbone.tar.gz").symlink_to(archive)


def add_large_images(tree: Path, count: int, height: int, width: int) -> None:
    """Add images of noise to the class `red`, one file under many names, so that decoding them takes a while."""
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    first = tree / "input/data/training/red/large.jpg"
    Image.fromarray(noise).save(first)
    for number in range(count - 1):
        os.link(first, first.with_name(f"large-{number}.jpg"))


@dataclass(frozen=True)
class FinishedJob:
    """A job that ended with 0, for tests that only read what it left."""

    folder: Path

    @property
    def tree(self) -> Path:
        """Its platform tree."""
        return self.folder / "tree"

    @property
    def log(self) -> str:
        """What it printed."""
        return (self.folder / "log").read_text(encoding="utf-8")

    @property
    def errors(self) -> str:
        """What it wrote to standard error."""
        return (self.folder / "errors").read_text(encoding="utf-8")


def finish_job(folder: Path, backbone: Path) -> None:
    """Train a head for four epochs, with one corrupt image and a folder for checkpoints, and keep it all."""
    settings: dict[str, Any] = {"train_only_top_layer": "True", "epochs": "4", "learning_rate": "0.05"}
    tree = make_tree(folder / "tree", COLOURS, **settings, report="True")
    (tree / "input/data/training/blue/00.jpg").write_text("no image")
    (tree / "checkpoints").mkdir()
    link_backbone(tree, backbone)
    done = run_train(tree)
    assert done.returncode == 0, done.stderr
    for name, text in (("log", done.stdout), ("errors", done.stderr)):
        (folder / name).write_text(text, encoding="utf-8")


class RunningJob:
    """A training job under way on a platform tree; killed when the block is left."""

    def __init__(self, tree: Path, **variables: str) -> None:
        self._log = tree / "log"
        environment = {**os.environ, "SAGEMAKER_BASE_DIR": str(tree), **variables}
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, str(ROOT / "container" / "train")],
                env=environment,
                stdout=log,
                stderr=log,
                process_group=0,
            )

    def __enter__(self) -> "RunningJob":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def log(self) -> str:
        """Return what it has printed, standard error included."""
        return self._log.read_text()

    def wait_for(self, words: str, seconds: float = 60) -> None:
        """Wait until it has printed something."""
        wait_until(lambda: words in self.log() or self._ended(), seconds, f"the job prints {words!r}")
        assert words in self.log(), self.log()

    def wait_for_path(self, path: Path, seconds: float = 60) -> None:
        """Wait until it has made a file or folder."""
        wait_until(lambda: path.exists() or self._ended(), seconds, f"the job makes {path}", pause=0.002)
        assert path.exists(), self.log()

    def wait_for_child(self, module: str, seconds: float = 60) -> None:
        """Wait until a process that it started runs a module."""
        wait_until(lambda: self._runs(module) or self._ended(), seconds, f"the job starts {module}", pause=0.002)
        assert self._runs(module), self.log()

    def children(self) -> list[int]:
        """Return the processes that it started and that still run."""
        number = self._process.pid
        try:
            return [int(word) for word in Path(f"/proc/{number}/task/{number}/children").read_text().split()]
        except FileNotFoundError:
            return []

    def _runs(self, module: str) -> bool:
        for child in self.children():
            try:
                if module in Path(f"/proc/{child}/cmdline").read_bytes().decode().split("\0"):
                    return True
            except FileNotFoundError:
                continue
        return False

    def _ended(self) -> bool:
        return self._process.poll() is not None

    def terminate(self) -> None:
        """Send SIGTERM, as the platform does."""
        self._process.send_signal(signal.SIGTERM)

    def interrupt(self) -> None:
        """Send SIGINT to its whole group, as Ctrl-C does in a terminal and under `docker run -it`."""
        os.killpg(self._process.pid, signal.SIGINT)

    def exit_code(self, seconds: float) -> int:
        """Wait for its end and return its exit code; AssertionError when it takes longer."""
        end = time.monotonic() + seconds
        wait_until(self._ended, end - time.monotonic(), "the job ends")
        return self._process.wait()
