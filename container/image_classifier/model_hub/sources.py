"""Find what a source means and fetch it: a model of the catalogue from wherever it is, an address, a folder, a file."""

import hashlib
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from image_classifier import archives, durable_files
from image_classifier.cloud import s3
from image_classifier.cloud.s3 import Location, S3Storage
from image_classifier.contract.addresses import without_secrets
from image_classifier.contract.errors import UserError
from image_classifier.model_hub import download_http, download_s3, hub_handle, jumpstart, mirror, packages
from image_classifier.model_hub.catalogue import CatalogueModel
from image_classifier.model_hub.jumpstart import Bucket

ORIGINS = ("package", "mirror", "hub", "jumpstart")


@dataclass(frozen=True)
class Origin:
    """Where to get a model of the catalogue."""

    name: str | None = None
    """One of `ORIGINS`; None: the package if there is one, else TFHUB_CACHE_DIR, else the Hub."""
    mirror: str | None = None
    """A folder, or the address of a server that answers as TensorFlow Hub does. Nothing else is asked then."""
    sha256: str | None = None
    """Required checksum of the downloaded archive."""
    bucket: Bucket = field(default_factory=Bucket)
    """JumpStart's; its access is that of `s3://` sources too."""


@dataclass(frozen=True)
class FetchedModel:
    """A model's folder on this machine."""

    folder: Path
    source: str
    """Its origin, for the log and the model info."""
    archive_sha256: str | None = None


def of_model(model: CatalogueModel, with_head: bool, origin: Origin, scratch: Path) -> FetchedModel:
    """Fetch a model of the catalogue; its features, or the classifier with its head.

    Raises:
        ExplainedError: It is nowhere to be had; the message says who answered what.
    """
    handles = model.classifier_handles if with_head else model.feature_vector_handles
    if origin.name == "jumpstart":
        location = jumpstart.artefact(origin.bucket, model.model_id, with_head)
        return _of_location(location, S3Storage(origin.bucket.access), origin.sha256, scratch)
    if origin.mirror and origin.mirror.startswith(("https://", "http://")):
        return _of_handles([mirror.address(origin.mirror, handle) for handle in handles], origin.sha256)
    given = origin.mirror or os.environ.get(hub_handle.CACHE_VARIABLE)
    if given and (origin.mirror or origin.name == "mirror" or Path(given).is_dir()):
        if path := mirror.find(Path(given), model.model_id, handles):
            return _of_path(path, origin.sha256, scratch)
        if origin.mirror or origin.name == "mirror":
            raise UserError(
                f"The mirror {given} has no {model.model_id}. Looked for {model.model_id}.tar.gz, and for "
                f"{', '.join(handles)} as tensorflow_hub, kagglehub and Kaggle's site name them."
            )
    elif origin.name == "mirror":
        raise UserError(
            f"A mirror is not named: give --mirror a folder or an address, or set {hub_handle.CACHE_VARIABLE}."
        )
    return _of_handles(handles, origin.sha256)


def of_text(source: str, origin: Origin, scratch: Path) -> FetchedModel | None:
    """Fetch what an address names (https, s3) or return what lies at a path; None for anything else.

    Raises:
        ExplainedError: It cannot be fetched, or it is an address of another kind.
    """
    if download_http.is_secure(source):
        return _of_handles([source], origin.sha256)
    if source.startswith("s3://"):
        return _of_location(s3.parse(source), S3Storage(origin.bucket.access), origin.sha256, scratch)
    if "://" not in source and Path(source).exists():
        return _of_path(Path(source), origin.sha256, scratch)
    if "://" in source:
        raise UserError(
            f"{without_secrets(source)} is not asked for: it is invalid, or what comes from there can be changed on "
            "the way. Give an https:// or s3:// address."
        )
    return None


def _of_path(path: Path, sha256: str | None, scratch: Path) -> FetchedModel:
    if path.is_dir():
        return FetchedModel(path, str(path))
    found = durable_files.sha256_of(path)
    if sha256 and found != sha256.lower():
        raise UserError(f"{path} has sha256 {found}; expected {sha256.lower()}. Fetch it again.")
    return FetchedModel(archives.materialise(path, scratch / "unpacked"), str(path), found)


def _of_handles(handles: Sequence[str], sha256: str | None) -> FetchedModel:
    """Take the first handle that the server has: the developer guide's and the SDK's may differ."""
    for number, handle in enumerate(handles, start=1):
        try:
            found = hub_handle.resolve(handle, sha256)
        except download_http.AbsentError:
            if number == len(handles):
                raise
        else:
            return FetchedModel(found.folder, without_secrets(handle), found.archive_sha256)
    raise UserError("The catalogue has no handle of this model. Stage it from a folder or an archive.")


def _of_location(location: Location, storage: S3Storage, sha256: str | None, scratch: Path) -> FetchedModel:
    if not location.key.endswith(download_s3.ARCHIVES):
        # In the cache first, so that the files of an interrupted download are not downloaded again.
        kept = packages.cache_folder() / "downloads" / hashlib.sha256(location.uri.encode()).hexdigest()[:16]
        download_s3.fetch_folder(storage, location, kept)
        shutil.move(kept, scratch / "unpacked")
        return FetchedModel(scratch / "unpacked", str(location))
    archive = scratch / "fetched.tar.gz"
    found = download_s3.fetch(storage, location, archive, sha256)
    return FetchedModel(archives.materialise(archive, scratch / "unpacked"), str(location), found)
