"""Train again: the same experiment on the corrected labels, as a new job."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from image_classifier.console.datasets.known import DataSet
from image_classifier.console.forms import data_choice
from image_classifier.contract.errors import UserError
from image_classifier.runners import experiment
from image_classifier.runners.experiment import Experiment


def asked_again(home: Path, job: Path, data_set: DataSet | None, free_name: Callable[[str], str]) -> Experiment:
    """Return the experiment of a job under a free name, on the current labels of its data set.

    Raises:
        UserError: The job does not say what it was asked for, or its data set cannot be read.
        OSError: The disk is full or not writable; nothing is left behind.
    """
    if not (job / experiment.FILE).is_file():
        raise UserError("This job does not say what it was asked for. Start a new one on the Train screen.")
    asked = experiment.read(job / experiment.FILE)
    name = free_name(asked.name)
    choice = data_choice.find(home, data_set.key) if data_set else None
    if choice is None:
        return replace(asked, name=name)
    folders = data_choice.channels_for(home, choice, name)
    return replace(
        asked,
        name=name,
        training=folders["training"],
        validation=folders.get("validation"),
        test=folders.get("test"),
    )
