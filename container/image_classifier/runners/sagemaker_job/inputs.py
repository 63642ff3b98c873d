"""The inputs of a job in S3: local folders and models are uploaded by content, S3 addresses are used as they are."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from image_classifier.cloud import uploads
from image_classifier.cloud.s3 import Location, S3Storage
from image_classifier.cloud.sagemaker import options
from image_classifier.cloud.sagemaker.options import TrainingOptions
from image_classifier.cloud.sagemaker.training import TrainingJob
from image_classifier.contract.errors import UserError
from image_classifier.runners import chosen_model, experiment
from image_classifier.runners.experiment import Experiment

MODEL = "model"
_NOT_STAGED = "staged-at-the-start"
"""Stands for the hash of a model that a dry run does not fetch."""
_UNREAD = "named-by-its-content"
"""Stands for the hash of a folder that a check does not read."""
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Source:
    """One input that lies on this machine, and where it will lie in S3."""

    channel: str
    path: Path | None
    """None: a model that is not staged yet."""
    location: Location
    manifest: uploads.Manifest | None
    """Of a folder."""

    def as_json(self) -> dict[str, Any]:
        """Return what a dry run prints in place of one PutObject request for each file."""
        files = len(self.manifest.files) if self.manifest else 1
        size = self.manifest.size if self.manifest else self.path.stat().st_size if self.path else None
        parameters = {"from": str(self.path or "a model that is staged first"), "to": self.location.uri}
        return {
            "service": "s3",
            "operation": "PutObject",
            "parameters": {**parameters, "files": files, "bytes": size},
        }


def options_of(asked_for: Experiment) -> TrainingOptions:
    """Return the options of an experiment for SageMaker, with defaults for those that it does not give.

    Raises:
        UserError: One message with every problem of its table `[sagemaker]`.
    """
    return options.parse(asked_for.options.get(experiment.SAGEMAKER, {}))


def sources(asked_for: Experiment, project: Location, model: Path | None, needs_staging: bool) -> list[Source]:
    """Return the inputs that must be uploaded; reads and hashes every file of the folders.

    Raises:
        UserError: A folder cannot be read or is empty.
    """
    found = [
        _source(name, Path(address), project)
        for name, address in asked_for.channels.items()
        if not experiment.is_s3(address)
    ]
    if model is not None:
        found.append(_source(MODEL, model, project))
    elif needs_staging:
        found.append(Source(MODEL, None, project.below(f"files/{_NOT_STAGED}/model.tar.gz"), None))
    return found


def unread_sources(asked_for: Experiment, project: Location) -> list[Source]:
    """Return the inputs without reading them, under names that stand for those of their content."""
    channels = [name for name, address in asked_for.channels.items() if not experiment.is_s3(address)]
    return [Source(name, None, project.below(f"data/{_UNREAD}"), None) for name in channels]


def _source(channel: str, path: Path, project: Location) -> Source:
    if path.is_dir():
        manifest = uploads.manifest_of(path)
        return Source(channel, path, uploads.location_of(manifest, project), manifest)
    try:
        return Source(channel, path, uploads.file_location(path, project), None)
    except OSError as error:
        raise UserError(f"{channel} is {path}, which cannot be read: {error.strerror}.") from error


def in_s3(asked_for: Experiment) -> dict[str, str]:
    """Return the URIs of the inputs that lie in S3 already, by channel."""
    given = {**asked_for.channels, MODEL: asked_for.model or ""}
    return {channel: address for channel, address in given.items() if experiment.is_s3(address)}


def training_job(
    asked_for: Experiment, given: TrainingOptions, project: Location, local: list[Source], name: str, checkpoints: str
) -> TrainingJob:
    """Return the job with its channels in S3."""
    channels = in_s3(asked_for)
    channels |= {source.channel: source.location.uri for source in local}
    order = (*experiment.CHANNELS, MODEL)
    return TrainingJob(
        name=name,
        experiment=asked_for.name,
        channels={channel: channels[channel] for channel in order if channel in channels},
        hyperparameters=asked_for.hyperparameters,
        storage=project,
        checkpoints=checkpoints,
        options=given,
    )


def experiment_file(project: Location, job: str) -> Location:
    """Return where the experiment of a job lies in S3: beside the folder of its artefact."""
    return project.below(f"jobs/{job}/{experiment.FILE}")


def chosen(asked_for: Experiment) -> chosen_model.ChosenModel:
    """Return the model of this machine; without a path and an id if it lies in S3 or the job fetches it itself.

    Raises:
        UserError: It is neither in the catalogue nor on the disk, or contradicts a hyperparameter.
    """
    if asked_for.model and experiment.is_s3(asked_for.model):
        return chosen_model.ChosenModel()
    return chosen_model.choose(asked_for.model, asked_for.hyperparameters)


def upload(
    storage: S3Storage, local: list[Source], project: Location, progress: Progress
) -> Mapping[str, uploads.Upload]:
    """Upload what is not in S3 yet and return what was done, by channel.

    Raises:
        ExplainedError: See `uploads.upload_folder`.
    """
    total = sum(len(source.manifest.files) if source.manifest else 1 for source in local)
    before, found = 0, {}
    for source in local:
        if source.path is None:
            raise ValueError(f"{source.channel} is not staged")
        if source.manifest is None:
            found[source.channel] = uploads.upload_file(storage, source.path, project)
            before += 1
        else:
            start = before

            def passed_on(done: int, _: int, start: int = start) -> None:
                progress(start + done, total)

            found[source.channel] = uploads.upload_folder(storage, source.path, source.manifest, project, passed_on)
            before += len(source.manifest.files)
        progress(before, total)
    return found
