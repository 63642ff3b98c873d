"""The speed of staged models on this machine, measured on demand by a child process and kept with the processor."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from image_classifier.console import tasks
from image_classifier.console.tasks import CommandStatus
from image_classifier.contract.errors import UserError
from image_classifier.model_hub.catalogue import CatalogueModel
from image_classifier.resources import processors
from image_classifier.runners import chosen_model

_MEASURER = "image_classifier.training.backbone_speed"


@dataclass(frozen=True)
class Speed:
    """What was measured on this machine."""

    milliseconds: float
    """Of one image with the engine that serves, without its decoding: the median."""
    peak_bytes: int
    """Of the process that measured, which loads TensorFlow too."""
    processor: str
    processors: int


@dataclass(frozen=True)
class Speeds:
    """The measurements that lie in a folder, one file per model."""

    folder: Path

    def of(self, model: CatalogueModel) -> Speed | None:
        """Return the speed of a model; None if it was not measured on this processor and number of CPUs."""
        try:
            found = Speed(**json.loads(self._result(model).read_bytes()))
        except (OSError, ValueError, TypeError):
            return None
        here = (processors.name(), processors.available_processors())
        return found if (found.processor, found.processors) == here else None

    def measure(self, model: CatalogueModel) -> bool:
        """Start to measure a staged model in the background; False if that is being done already.

        Raises:
            UserError: It is not staged.
            OSError: The disk is full or not writable.
        """
        archive = chosen_model.archive_of(model)
        if not archive.is_file():
            raise UserError(f"{model.short_name} is not staged yet. Stage it, then measure its speed.")
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return tasks.start(self._task(model), _MEASURER, [str(archive), str(self._result(model))])

    def measuring(self, model: CatalogueModel) -> CommandStatus | None:
        """Return the state of the last measurement of a model; None if there was no attempt."""
        return tasks.command_status(self._task(model), self._result(model).is_file())

    def _result(self, model: CatalogueModel) -> Path:
        return self.folder / f"{_name(model)}.json"

    def _task(self, model: CatalogueModel) -> Path:
        return self.folder / f"{_name(model)}.task"


def _name(model: CatalogueModel) -> str:
    return hashlib.sha256(model.model_id.encode()).hexdigest()[:24]
