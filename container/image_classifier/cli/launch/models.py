"""The model that a verb is about: of a job, a model folder or archive on this machine, in S3, or registered."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from image_classifier import archives, artifacts
from image_classifier.cloud import s3, uploads
from image_classifier.cloud.s3 import Access, Location, S3Storage
from image_classifier.cloud.sagemaker import option_reading, options, registry
from image_classifier.cloud.sagemaker.options import TrainingOptions
from image_classifier.cloud.sagemaker.registry import Reference
from image_classifier.contract.errors import UserError
from image_classifier.runners import experiment
from image_classifier.runners.sagemaker_job import record

_ARCHIVE = ".tar.gz"


@dataclass(frozen=True)
class ServedModel:
    """A model, and the options with which it was trained, below those that were given."""

    experiment: str
    options: TrainingOptions
    path: Path | None
    """A folder or an archive on this machine that must be uploaded; None if it lies in S3."""
    uri: str = ""
    """Where it lies in S3 already."""
    has_openvino: bool = False
    """Whether it has an OpenVINO network, which the serve image needs; False where that is not known."""
    registered: Reference | None = None
    """A version of the model registry, which has its artefact and its image."""

    def image(self) -> str:
        """Return the URI of the Docker image: the serve image if the model has what it needs."""
        if self.has_openvino or not self.options.image:
            return self.options.serve_image or self.options.image
        return self.options.image

    def artefact(self, storage: Location) -> str:
        """Return the URI of the archive, also if it is not uploaded yet; packs a model folder for its hash."""
        if self.path is None:
            return self.uri
        with tempfile.TemporaryDirectory() as scratch:
            return uploads.file_location(_archive(self.path, Path(scratch)), storage).uri

    def upload_as_json(self, storage: Location) -> dict[str, Any] | None:
        """Return what a dry run prints for the upload; None without one."""
        if self.path is None:
            return None
        parameters = {"from": str(self.path), "to": self.artefact(storage)}
        return {"service": "s3", "operation": "PutObject", "parameters": parameters}

    def bring(self, storage: Location, many: Location | None) -> None:
        """Upload the archive unless it is there; for an endpoint of many models copy it into their folder.

        Raises:
            ExplainedError: S3 rejects a request or cannot be reached.
        """
        access = S3Storage(Access(region=self.options.region or None, profile=self.options.profile or None))
        if self.path is not None:
            with tempfile.TemporaryDirectory() as scratch:
                uploads.upload_file(access, _archive(self.path, Path(scratch)), storage)
        if many is not None:
            access.copy(s3.parse(self.artefact(storage)), many.below(f"{self.experiment}.tar.gz"))


def find_any(named: str, flags: Mapping[str, Any]) -> ServedModel:
    """Return the model that a user names as in `find`, or a version of the model registry.

    Raises:
        UserError: See `find`.
    """
    asked = None if Path(named).exists() else registry.reference(named)
    if asked is None and named.startswith("arn:"):
        raise UserError(
            f"{named} is not the ARN of a model package, such as "
            "arn:aws:sagemaker:eu-west-1:123456789012:model-package/GROUP/VERSION."
        )
    if asked is None:
        return find(named, flags)
    given = options.parse(flags)
    option_reading.reject([problem for problem in options.missing(given) if not problem.startswith("image:")])
    return ServedModel(asked.group, given, None, registered=asked)


def find(named: str, flags: Mapping[str, Any]) -> ServedModel:
    """Return the model that a user names; `flags` are options above those of its job.

    Raises:
        UserError: The model does not exist, has no archive, or an option is missing.
    """
    if experiment.is_s3(named):
        given = options.parse(flags)
        _require(given)
        if not s3.parse(named).key.endswith(_ARCHIVE):
            raise UserError(
                f"The model {named} is not an archive, and an endpoint takes nothing else. Give the address of a "
                f"model{_ARCHIVE}."
            )
        name = experiment.name_from(Path(named).name.split(".")[0])
        return ServedModel(name, given, None, uri=named)
    path = Path(named)
    asked_for = experiment.read(path / experiment.FILE) if (path / experiment.FILE).is_file() else None
    table = asked_for.options.get(experiment.SAGEMAKER, {}) if asked_for else {}
    given = options.parse({**table, **flags})
    name = asked_for.name if asked_for else experiment.name_from(path.name.split(".")[0])
    model = path / "model" if (path / "model").is_dir() else path
    if not model.exists():
        raise UserError(
            f"The model {named} does not exist on this machine. Expected a job's folder, a model folder, a .tar.gz, or "
            "an s3:// address."
        )
    found = record.read(path) if path.is_dir() else None
    has_openvino = (model / artifacts.OPENVINO_DIR).is_dir()
    if found is not None:
        if not found.platform.is_over:
            raise UserError(f"The job in {path} is still running. Deploy its model when it has finished.")
        _require(given)
        return ServedModel(name, given, None, found.results.below("model.tar.gz").uri, has_openvino)
    _reject_other(model, named)
    _require(given)
    return ServedModel(name, given, model, has_openvino=has_openvino)


def _reject_other(model: Path, named: str) -> None:
    """Reject a folder without any network, and a file of another kind."""
    if model.is_file():
        is_model = archives.is_archive(model)
    else:
        is_model = (model / artifacts.OPENVINO_DIR).is_dir() or any(model.glob("**/saved_model.pb"))
    if not is_model:
        raise UserError(
            f"{named} is not a model: expected a job's folder, a model folder with a SavedModel or an OpenVINO IR, or "
            f"a {_ARCHIVE} of one."
        )


def _require(given: TrainingOptions) -> None:
    problems = options.missing(given)
    if given.serve_image:
        problems = [problem for problem in problems if not problem.startswith("image:")]
    option_reading.reject(problems)


def _archive(path: Path, scratch: Path) -> Path:
    if path.is_file():
        return path
    archive = scratch / "model.tar.gz"
    archives.pack(path, archive)
    return archive
