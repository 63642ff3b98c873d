"""Download a model by its Hub handle, an https address, from TensorFlow Hub, Kaggle or a compatible server.

The protocol: https://www.tensorflow.org/hub/hosting. The cache has the layout of tensorflow_hub's, so each finds the
other's models; the download is ours, and the archive is unpacked as untrusted.
"""

import hashlib
import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from image_classifier import archives, durable_files, own_files
from image_classifier.contract.addresses import without_secrets
from image_classifier.contract.errors import UserError
from image_classifier.model_hub import packages

CACHE_VARIABLE = "TFHUB_CACHE_DIR"
HUB = "https://tfhub.dev"
"""Prefix of the catalogue's handles; the server redirects to Kaggle."""
_COMPRESSED = "tf-hub-format=compressed"


@dataclass(frozen=True)
class HubModel:
    """A SavedModel's folder, and the checksum of its archive if known."""

    folder: Path
    archive_sha256: str | None


def resolve(handle: str, sha256: str | None = None) -> HubModel:
    """Return the SavedModel at `handle`, downloaded once; `sha256` is the required checksum of its archive.

    The cache is TFHUB_CACHE_DIR, else our own: tensorflow_hub's default is writable by every user.

    Raises:
        ExplainedError: The server rejects the request or does not answer, or the file is not a model archive.
    """
    cache = Path(os.environ.get(CACHE_VARIABLE) or packages.cache_folder() / "hub")
    kept = cached(cache, handle)
    if kept and sha256 in (None, kept.archive_sha256):
        return kept
    folder = cache / _name(handle)
    archive = cache / f"{folder.name}.tar.gz"
    parts = urlsplit(handle)
    query = f"{parts.query}&{_COMPRESSED}" if parts.query else _COMPRESSED
    # Here: urllib3 takes a tenth of a second, and most callers only look into the cache.
    from image_classifier.model_hub import download_http

    found = download_http.fetch(parts._replace(query=query).geturl(), archive, sha256)
    with tempfile.TemporaryDirectory(dir=cache, prefix=".unpacking-") as scratch:
        _unpack(handle, archive, Path(scratch) / "model")
        _descriptor(folder).write_text(
            f"Module: {without_secrets(handle)}\nArchive sha256: {found}\n", encoding="utf-8"
        )
        # What was there has another checksum than is asked for, or none. Of another kind than a model it stays.
        if (folder / "saved_model.pb").is_file():
            own_files.remove_folder(folder)
        own_files.remove_empty(folder)
        durable_files.rename_folder(Path(scratch) / "model", folder)
    return HubModel(folder, found)


def cached(cache: Path, handle: str) -> HubModel | None:
    """Look up a handle in a cache of tensorflow_hub's layout: SHA-1 of the handle, with a descriptor file beside it."""
    folder = cache / _name(handle)
    if not (folder / "saved_model.pb").is_file():
        return None
    text = _descriptor(folder).read_text(encoding="utf-8") if _descriptor(folder).is_file() else ""
    said = re.search(r"^Archive sha256: ([0-9a-f]{64})$", text, re.MULTILINE)
    return HubModel(folder, said[1] if said else None)


def _unpack(handle: str, archive: Path, into: Path) -> None:
    shown = without_secrets(handle)
    try:
        archives.unpack(archive, into)
    except UserError as error:
        raise UserError(
            f"{without_secrets(handle)} cannot be used: {error} A folder or an archive can be staged too."
        ) from error
    finally:
        archive.unlink()
    if not (into / "saved_model.pb").is_file():
        raise UserError(
            f"{shown} cannot be used: it sent an archive without saved_model.pb at its root. Expected the address of "
            "a SavedModel on TensorFlow Hub or Kaggle."
        )


def _name(handle: str) -> str:
    return hashlib.sha1(handle.encode(), usedforsecurity=False).hexdigest()


def _descriptor(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.descriptor.txt")
