"""One click from nothing to a running job: sample data is fetched, then a short job on it is queued."""

import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from image_classifier import durable_files
from image_classifier.console import tasks
from image_classifier.console.datasets import imports
from image_classifier.console.datasets.known import Source
from image_classifier.console.forms import checking, data_choice, train_form
from image_classifier.console.queueing.job_queue import JobQueue
from image_classifier.contract.errors import ExplainedError
from image_classifier.photographs import sample_sets

SAMPLE = "solar"
"""Comes from the package index alone, which the recommended model needs too."""
SETTINGS = MappingProxyType({"recipe": "auto", "train_only_top_layer": "True"})
"""The head alone: about a minute instead of up to ten."""
_FOLDER = "sample-jobs"
_POLL_SECONDS = 0.5


@dataclass(frozen=True)
class SampleState:
    """How far it is."""

    job: str = ""
    """Name of the queued job."""
    data_set: str = ""
    """Key of the fetched data set."""
    error: str = ""
    running: bool = True


def begin(home: Path, queue: JobQueue) -> str:
    """Start to fetch the sample data, and queue a job when that is done; return the id of the import.

    Raises:
        OSError: The disk is full or not writable.
    """
    sample_sets.find(SAMPLE)
    what = imports.begin(home, SAMPLE, Source.SAMPLE, SAMPLE)
    imports.start(home, what.id)
    threading.Thread(target=_wait, args=(home, queue, what.id), name=f"sample-{what.id}", daemon=True).start()
    return what.id


def state(home: Path, id_: str) -> SampleState | None:
    """Return how far the sample data and its job are; None for an unknown id."""
    try:
        noted = _note(home, id_).read_text(encoding="utf-8")
    except OSError:
        noted = ""
    shown = imports.find(home, id_)
    if noted.startswith("job "):
        return SampleState(job=noted.removeprefix("job "), running=False)
    if noted:
        return SampleState(error=noted, running=False, data_set=(shown.data_set or "") if shown else "")
    if shown is None:
        return None
    if shown.status.state in (tasks.State.RUNNING, tasks.State.FINISHED):
        return SampleState(data_set=shown.data_set or "")
    return SampleState(error=shown.status.message or f"The import was {shown.status.state}.", running=False)


def _wait(home: Path, queue: JobQueue, id_: str) -> None:
    while (shown := imports.find(home, id_)) and shown.status.state is tasks.State.RUNNING:
        time.sleep(_POLL_SECONDS)
    choice = data_choice.find(home, shown.data_set) if shown and shown.data_set else None
    if choice is None:
        return
    form = train_form.of_parameters({**SETTINGS, "data": choice.data.key})
    try:
        asked = checking.asked_for(form, choice.data)
        job = queue.add(replace(asked, name=queue.free_name(asked.name)))
        noted = f"job {job.name}"
    except ExplainedError as error:
        noted = str(error)
    path = _note(home, id_)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    durable_files.write_bytes(path, noted.encode())


def _note(home: Path, id_: str) -> Path:
    # `imports.find` rejects ids that are not its own; here none leads out of the folder.
    return home / "cache" / _FOLDER / Path(id_).name
