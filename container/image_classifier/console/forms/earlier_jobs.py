"""The form of a new job with the settings of an earlier one, or from its model."""

from collections.abc import Iterable
from pathlib import Path
from types import MappingProxyType

from image_classifier.console.datasets.known import DataSet
from image_classifier.console.forms import data_choice
from image_classifier.console.forms.train_form import OPTIONS, TrainForm
from image_classifier.runners.experiment import Experiment

MODEL = "model"
"""Folder of the model in a job's folder."""


def clone(asked: Experiment, _: Path, data_sets: Iterable[DataSet]) -> TrainForm:
    """Return the form with the settings of an earlier job; its data set only if the console still knows it."""
    declared = {one.name for one in OPTIONS[asked.runner]}
    options = {name: _text(value) for name, value in asked.runner_options.items() if name in declared}
    return TrainForm(
        data=_data_set(asked, data_sets),
        model=asked.model or "",
        runner=asked.runner,
        given=MappingProxyType(dict(asked.hyperparameters)),
        options=MappingProxyType(
            {name: _text(value) for name, value in asked.runner_options.items() if name in options}
        ),
    )


def further(asked: Experiment, folder: Path, data_sets: Iterable[DataSet]) -> TrainForm:
    """Return the form of a job that starts from the model of an earlier one, with its settings."""
    cloned = clone(asked, folder, data_sets)
    return TrainForm(cloned.data, "", str(folder / MODEL), cloned.runner, cloned.given, cloned.options)


def _data_set(asked: Experiment, data_sets: Iterable[DataSet]) -> str:
    """Return the key of the data set whose folders a job trained on, or of which it got a view with edited labels."""
    folders = {one.channels.get("training", ""): one.key for one in data_sets}
    view = Path(asked.training).parents
    # views / key / job / training: see data_choice.channels_for.
    of_view = view[1].name if len(view) > 2 and view[2].name == data_choice.VIEWS else ""
    return folders.get(asked.training, of_view if of_view in folders.values() else "")


def _text(value: object) -> str:
    if isinstance(value, dict):
        return ",".join(f"{name}={one}" for name, one in value.items())
    return ",".join(value) if isinstance(value, list | tuple) else str(value)
