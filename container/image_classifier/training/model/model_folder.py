"""The model folder of a job: detect a user's own model there before training instead of replacing it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from image_classifier import artifacts, own_files
from image_classifier.contract.errors import UserError
from image_classifier.contract.opt_ml import OptMl

UNFINISHED = ".unfinished"
"""Marker beside the SavedModel until the model info is written; it remains when a job is killed."""
_REPLACED = (
    *(artifacts.SAVED_MODEL_DIR, artifacts.OPENVINO_DIR, artifacts.OPENVINO_INT8_DIR),
    *(artifacts.LABELS_FILE, artifacts.CLASS_INDEX_FILE, artifacts.MODEL_INFO_FILE),
    *artifacts.EVALUATION_FILES,
)


def check(opt_ml: OptMl) -> None:
    """Check that the job may replace the contents of the model folder; changes nothing.

    Raises:
        UserError: The folder contains a channel, or a model or part of one that was not written by a job.
    """
    folder, data = opt_ml.model_dir, opt_ml.channel_dir("")
    for channel in sorted(data.iterdir()) if data.is_dir() else []:
        if own_files.holds(folder, channel):
            raise UserError(
                f"The {channel.name} channel {channel} is inside {folder}, where the job writes its model. "
                "Use another folder for the channel."
            )
    found = [name for name in _REPLACED if (folder / name).exists() or (folder / name).is_symlink()]
    linked = [name for name in found if (folder / name).is_symlink()]
    if linked or (found and not (folder / UNFINISHED).is_file() and not _was_written_by_a_job(folder)):
        raise UserError(
            f"{folder} holds {', '.join(linked or found)}, which no job wrote: this job would overwrite it. Move it "
            "away; to train that model further, give it as the model channel."
        )


def _was_written_by_a_job(folder: Path) -> bool:
    try:
        info = json.loads((folder / artifacts.MODEL_INFO_FILE).read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(info, dict) and info.get("finetuned") is True and "hyperparameter_sources" in info


@contextmanager
def unfinished(folder: Path) -> Iterator[None]:
    """Mark the model folder while it holds a SavedModel without the matching model info.

    Then remove what an evaluation of an earlier model left there.

    Raises:
        OSError: The disk is full or not writable.
    """
    folder.mkdir(parents=True, exist_ok=True)
    marker, target = folder / UNFINISHED, folder / artifacts.SAVED_MODEL_DIR
    before = _identity(target)
    marker.touch()
    try:
        yield
    except BaseException:
        # A new SavedModel without its model info stays marked.
        if _identity(target) == before:
            marker.unlink()
        raise
    for name in artifacts.EVALUATION_FILES:
        (folder / name).unlink(missing_ok=True)
    marker.unlink()


def _identity(path: Path) -> int | None:
    return path.stat().st_ino if path.exists() else None
