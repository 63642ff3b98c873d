"""Batch transform from the Deploy form: `scripts/launch batch` as a task in the home folder, and its answers as CSV."""

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from image_classifier import durable_files, own_files
from image_classifier.cloud import s3
from image_classifier.cloud.sagemaker import batch, options
from image_classifier.cloud.sagemaker.batch import Batch
from image_classifier.console import tasks
from image_classifier.console.tasks import CommandStatus
from image_classifier.contract.declaration import Declaration
from image_classifier.contract.errors import UserError
from image_classifier.contract.payload_types import EVERY_CLASS
from image_classifier.runners import experiment

_FOLDER, _REQUEST, _TASK = "batch", "request.json", "task"
ANSWERS = "answers.csv"
_MODULE = "image_classifier.cli.launch"
_OF_THE_JOB = ("image", "role", "location", "region", "profile")
DECLARATIONS: tuple[Declaration, ...] = (
    *(one for one in options.DECLARATIONS if one.name in _OF_THE_JOB),
    *batch.DECLARATIONS,
)
"""Options of the form."""
_MOST_SHOWN = 10


@dataclass(frozen=True)
class BatchRow:
    """A batch job that was started here."""

    name: str
    job: str
    """Whose model classifies."""
    images: str
    """A folder, or an s3:// URI."""
    status: CommandStatus | None
    answers: Path | None
    """The CSV, once it is there."""

    @property
    def state(self) -> str:
        """What it is doing, in a word."""
        if self.answers:
            return "finished"
        return "running" if self.status and self.status.is_running else "failed"

    @property
    def tone(self) -> str:
        """The tone of its badge."""
        return {"finished": "good", "running": "accent", "failed": "bad"}[self.state]


def check(images: str, given: Mapping[str, str]) -> None:
    """Check the form of a batch job; sends nothing.

    Raises:
        UserError: One message with every problem.
    """
    problems = [] if images else ["Images: give a folder of this machine, or an s3:// URI."]
    try:
        problems += options.missing(options.parse(_of(options.DECLARATIONS, given)))
    except UserError as error:
        problems.append(str(error))
    try:
        batch.parse(_of(batch.DECLARATIONS, given))
    except UserError as error:
        problems.append(str(error))
    if problems:
        raise UserError(" ".join(problems))


def arguments(model: Path, images: str, answers: Path, given: Mapping[str, str]) -> list[str]:
    """Return the arguments of `scripts/launch`; options without a value are left out."""
    flags = [
        word
        for one in DECLARATIONS
        if (value := given.get(one.name))
        for word in (f"--{one.name.replace('_', '-')}", value)
    ]
    return ["batch", str(model), images, "--csv", str(answers), *flags]


def described(name: str, artefact: str, images: str, given: Mapping[str, str]) -> Batch:
    """Return the batch job of a form, for images and a model that lie in S3.

    Raises:
        UserError: See `check`.
    """
    check(images, given)
    of_the_job = options.parse(_of(options.DECLARATIONS, given))
    return Batch(
        name=name,
        experiment=name,
        artefact=artefact,
        image=of_the_job.image,
        images=s3.parse(images),
        storage=s3.parse(of_the_job.location),
        accept=EVERY_CLASS,
        options=of_the_job,
        how=batch.parse(_of(batch.DECLARATIONS, given)),
    )


def start(home: Path, job: str, model: Path, images: str, given: Mapping[str, str]) -> str:
    """Upload the model and the images, classify them, and write the CSV, in a process that outlives this one.

    Returns the name of the batch job in the list.

    Raises:
        UserError: See `check`.
        OSError: The disk is full or not writable.
    """
    check(images, given)
    stem = experiment.name_from(job)
    folder = own_files.new_folder(home / _FOLDER, (f"{stem}-batch-{number}" for number in itertools.count(1)))
    durable_files.write_json(folder / _REQUEST, {"job": job, "images": images})
    tasks.start(folder / _TASK, _MODULE, arguments(model, images, folder / ANSWERS, given))
    return folder.name


def rows(home: Path) -> list[BatchRow]:
    """Return the latest batch jobs, the last one first."""
    folders = sorted((home / _FOLDER).glob(f"*/{_REQUEST}"), key=lambda path: -path.stat().st_mtime)
    return [_row(path.parent) for path in folders[:_MOST_SHOWN]]


def answers(home: Path, name: str) -> Path | None:
    """Return the CSV of a batch job; None if it is unknown or has none."""
    return next((row.answers for row in rows(home) if row.name == name), None)


def _row(folder: Path) -> BatchRow:
    asked, found = json.loads((folder / _REQUEST).read_bytes()), folder / ANSWERS
    status = tasks.command_status(folder / _TASK, found.is_file())
    return BatchRow(folder.name, asked["job"], asked["images"], status, found if found.is_file() else None)


def _of(declarations: tuple[Declaration, ...], given: Mapping[str, str]) -> dict[str, str]:
    names = {one.name for one in declarations}
    return {name: value for name, value in given.items() if value and name in names}
