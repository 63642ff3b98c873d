"""Estimates of jobs: measured in the background, kept by content, model and settings, for this processor alone."""

import contextlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from image_classifier import durable_files
from image_classifier.console import tasks
from image_classifier.console.estimating import prediction, scratch
from image_classifier.console.estimating.prediction import Estimate, Measurement
from image_classifier.console.estimating.request import PIXEL_EPOCHS, Request, Sizes, choose, rows_of, settings_of
from image_classifier.console.estimating.watched_job import Watched
from image_classifier.contract import contradictions
from image_classifier.contract.hyperparameters import Hyperparameters
from image_classifier.resources import processors
from image_classifier.runners import processes

_PROBE = "image_classifier.console.estimating.probe_process"
FOLDER = "estimates"
"""In the cache."""
_OWNER = "owner.json"
_TASK = ".task"


@dataclass(frozen=True)
class Images:
    """A data set whose jobs are estimated."""

    content: str
    """Digest of its content, with its labels."""
    files: Mapping[str, Sequence[str]]
    """Paths of the training images by class."""
    sizes: Sizes


@dataclass(frozen=True)
class EstimateState:
    """What is known at the moment."""

    estimate: Estimate | None = None
    running: bool = False
    seconds: float = 0.0
    """That the measurement has taken so far."""
    error: str = ""


@dataclass(frozen=True)
class Estimates:
    """The measurements that lie in a folder."""

    folder: Path

    def state(self, images: Images, model: str, values: Hyperparameters) -> EstimateState:
        """Return the estimate of a job if its measurements are there, or how far they are."""
        measured = {}
        for name, request in _requests(images, model, values).items():
            found = self._read(request)
            if found is None:
                task = tasks.command_status(self._task(request), succeeded=False)
                if task is None:
                    return EstimateState()
                return EstimateState(None, task.is_running, task.seconds, task.error)
            measured[name] = found
        estimate = prediction.predict(
            values,
            images.sizes,
            measured["features"],
            measured.get("pixels"),
            processors.available_processors(),
            processors.has_gpu(),
        )
        return EstimateState(estimate)

    def measure(self, images: Images, model: str, values: Hyperparameters) -> None:
        """Start the first measurement that is missing and cancel others; nothing while it runs or when all are there.

        Raises:
            OSError: The disk is full or not writable.
        """
        for request in _requests(images, model, values).values():
            if self._read(request) is None:
                self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                self.cancel(spared=self._task(request))
                self._remove_remains()
                asked, owner = self.folder / f"{request.key}.request.json", self.folder / _OWNER
                durable_files.write_json(asked, request.to_json())
                processes.write(owner, processes.record(os.getpid()))
                tasks.start(self._task(request), _PROBE, [str(asked), str(self._result(request)), str(owner)])
                return

    def cancel(self, spared: Path | None = None) -> None:
        """End the measurements that run but for the task `spared`: a job starts, or the form has changed."""
        for task in self.folder.glob(f"*{_TASK}"):
            if task != spared:
                # What cannot be ended costs the next job time, but does not keep it from starting.
                with contextlib.suppress(OSError):
                    tasks.withdraw(task)

    def take_over(self) -> None:
        """End what measurements of a console that was killed still run, and remove the folders that they left."""
        self.cancel()
        self._remove_remains()

    def _remove_remains(self) -> None:
        for record in self.folder.glob(f"*{scratch.SUFFIX}"):
            process = processes.read(record.with_suffix(_TASK) / tasks.PROCESS)
            if process is None or not processes.is_running(process):
                scratch.remove(record)

    def _read(self, request: Request) -> Measurement | None:
        try:
            found = json.loads(self._result(request).read_bytes())
            return measurement(found) if found["processor"] == processors.name() else None
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def _result(self, request: Request) -> Path:
        return self.folder / f"{request.key}.json"

    def _task(self, request: Request) -> Path:
        return self.folder / f"{request.key}{_TASK}"


def measurement(found: Mapping[str, Any]) -> Measurement:
    """Return the measurement that the process of a measurement wrote."""
    watched = {**found["watched"], "cpu": Watched(**found["watched"]["cpu"])}
    return Measurement(Watched(**watched), found["decode_seconds"], found["rows"], found["classes"], found["load"])


def _requests(images: Images, model: str, values: Hyperparameters) -> dict[str, Request]:
    """Return the measurements that an estimate needs, in the order in which they are made."""
    chosen = choose(images.files)

    def request(on_pixels: bool) -> Request:
        settings = settings_of(values, on_pixels)
        rows, epochs = rows_of(images.sizes, on_pixels), PIXEL_EPOCHS if on_pixels else None
        return Request(chosen, images.content, model, settings, rows, epochs)

    found = {"features": request(False)}
    if trains_on_pixels(values):
        found["pixels"] = request(True)
    return found


def trains_on_pixels(values: Hyperparameters) -> bool:
    """Return whether every epoch reads all images again: the network is trained, or the images are augmented."""
    if values.recipe != contradictions.BUILTIN:
        return False
    return not values.train_only_top_layer or values.augmentation
