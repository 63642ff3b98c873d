"""Find models of the catalogue in a local folder, or on a server compatible with TensorFlow Hub.

A folder may contain any of: tensorflow_hub's cache (SHA-1 of the handle); kagglehub's cache
(`[models/]OWNER/MODEL/tensorFlow2/VARIATION/VERSION/`); archives as Kaggle's site names them
(`MODEL-tensorflow2-VARIATION-vVERSION.tar.gz`); archives or folders named by model_id.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from image_classifier.contract.errors import UserError
from image_classifier.model_hub import hub_handle
from image_classifier.model_hub.hub_handle import HUB

_KAGGLE_ARCHIVE = re.compile(r"(?P<model>.+)-tensorflow[12]-(?P<variation>.+)-v(?P<version>\d+)\.(?:tar\.gz|tgz)")


@dataclass(frozen=True, order=True)
class _Candidate:
    """A model under Kaggle's names."""

    version: int
    path: Path
    names: frozenset[str]


def find(folder: Path, model_id: str, handles: Sequence[str]) -> Path | None:
    """Return the folder or archive of a model, of several versions the highest; None if it is not found.

    Raises:
        UserError: There is no such folder.
    """
    if not folder.is_dir():
        raise UserError(f"The mirror {folder} is not a folder. Give --mirror a folder or the address of a server.")
    for handle in handles:
        if found := hub_handle.cached(folder, handle):
            return found.folder
    for name in (model_id, f"{model_id}.tar.gz"):
        if (folder / name).exists():
            return folder / name
    for handle in handles:
        wanted = _name_of_handle(handle)
        if fitting := [candidate for candidate in _candidates(folder) if wanted in candidate.names]:
            return max(fitting).path
    return None


def address(server: str, handle: str) -> str:
    """Return the address of a handle on a mirror of TensorFlow Hub; the query of `server`, such as a token, is kept."""
    parts = urlsplit(server)
    return parts._replace(path=f"{parts.path.rstrip('/')}{handle.removeprefix(HUB)}").geturl()


def _candidates(folder: Path) -> Iterator[_Candidate]:
    for path in folder.iterdir():
        if path.is_file() and (found := _KAGGLE_ARCHIVE.fullmatch(path.name.lower())):
            yield _Candidate(int(found["version"]), path, _names(found["model"], found["variation"]))
    for top in (folder, folder / "models"):
        for path in top.glob("*/*/[tT]ensor[fF]low[12]/*/*"):
            if path.name.isdecimal() and path.is_dir():
                variation = path.parent
                model = variation.parent.parent
                yield _Candidate(int(path.name), path, _names(model.name, variation.name))


def _names(model: str, variation: str) -> frozenset[str]:
    # For a model with a single variation the variation has the model's name.
    return frozenset({_slug(f"{model}-{variation}"), _slug(variation)})


def _name_of_handle(handle: str) -> str:
    """Return what Kaggle's model and variation are called together: the Hub's name without publisher and version.

    Kaggle took the models over in 2023 under these names and restarted the version numbers, which say nothing.
    """
    _, *parts = urlsplit(handle).path.strip("/").split("/")
    if parts[0] == "imagenet":
        parts = parts[1:]
    return _slug("-".join(parts[:-1] if parts[-1].isdecimal() else parts))


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
