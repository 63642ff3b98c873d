"""Checksums of a model folder: of a SavedModel's files, against those that its model info records."""

import hashlib
from pathlib import Path

from image_classifier import artifacts
from image_classifier.artifacts import ModelInfo
from image_classifier.contract.errors import UserError


def folder_sha256(folder: Path) -> str:
    """Hash the names and contents of `artifacts.model_files` in sorted order."""
    digest = hashlib.sha256()
    for path in artifacts.model_files(folder):
        digest.update(f"{path.relative_to(folder).as_posix()}\0{path.stat().st_size}\0".encode())
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def network_sha256(saved_model: Path) -> str:
    """Return a fingerprint of a SavedModel without reading its weights.

    It covers the graph and the index of the weights, in which TensorFlow stores a checksum of each weight.
    """
    digest = hashlib.sha256()
    for path in (saved_model / "saved_model.pb", saved_model / "variables" / "variables.index"):
        content = path.read_bytes() if path.is_file() else b""
        digest.update(f"{path.name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def undamaged_sha256(saved_model: Path, info: ModelInfo, what: str) -> str:
    """Return the SavedModel's `folder_sha256`; `what` names the model in the error.

    Raises:
        UserError: It differs from the one in the model info.
    """
    found = folder_sha256(saved_model)
    if info.sha256 not in (None, found):
        others = [path.name for path in artifacts.version_folders(saved_model.parent) if path != saved_model]
        remedy = (
            f"The highest of several versions is used: keep {saved_model.name}/ with its own model info, or remove it."
            if others
            else "Download or stage it again."
        )
        raise UserError(
            f"{what} is corrupt: its SavedModel has sha256 {found}, but its model info records {info.sha256}. {remedy}"
        )
    return found
