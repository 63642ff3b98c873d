"""Where a model of the catalogue is at the moment: staged, in a cache, in a package, or on TensorFlow Hub alone."""

import enum
import hashlib
import os
from pathlib import Path

from image_classifier.console import tasks
from image_classifier.console.tasks import CommandStatus
from image_classifier.contract.errors import ExplainedError
from image_classifier.model_hub import hub_handle, mirror, packages
from image_classifier.model_hub.catalogue import CatalogueModel
from image_classifier.runners import chosen_model

_STAGER = "image_classifier.cli.stage_backbone"


class Availability(enum.StrEnum):
    """Where a model comes from when a job asks for it."""

    STAGED = "staged"
    """Its archive is on this machine."""
    CACHED = "cached"
    """Its files are on this machine; staging needs no network."""
    PACKAGE = "package"
    """A package index ships it; it is fetched once."""
    HUB = "hub"
    """TensorFlow Hub has it; it is downloaded once."""

    @property
    def works_offline(self) -> bool:
        """Whether a job can start from it without a network."""
        return self in (Availability.STAGED, Availability.CACHED)


def place_of(model: CatalogueModel) -> Availability:
    """Return where a model is; asks no server."""
    if chosen_model.archive_of(model).is_file():
        return Availability.STAGED
    if model.package:
        return Availability.CACHED if packages.is_cached(packages.BACKBONES[model.package]) else Availability.PACKAGE
    return Availability.CACHED if _in_cache(model) else Availability.HUB


def _in_cache(model: CatalogueModel) -> bool:
    handles = model.feature_vector_handles
    if any(hub_handle.cached(packages.cache_folder() / "hub", handle) for handle in handles):
        return True
    given = Path(os.environ.get(hub_handle.CACHE_VARIABLE, ""))
    try:
        return given.is_absolute() and given.is_dir() and mirror.find(given, model.model_id, handles) is not None
    except (OSError, ExplainedError):
        return False


def stage(folder: Path, model: CatalogueModel) -> bool:
    """Start to stage a model, as a task in the folder of such tasks; False if that is being done already.

    Raises:
        OSError: The disk is full or not writable.
    """
    return tasks.start(_task(folder, model), _STAGER, [model.model_id, "--output", str(chosen_model.archive_of(model))])


def staging(folder: Path, model: CatalogueModel) -> CommandStatus | None:
    """Return the state of the last staging of a model; None if there was no attempt."""
    return tasks.command_status(_task(folder, model), chosen_model.archive_of(model).is_file())


def _task(folder: Path, model: CatalogueModel) -> Path:
    return folder / hashlib.sha256(model.model_id.encode()).hexdigest()[:24]
