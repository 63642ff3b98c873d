"""The model folder of a job: a model that no job wrote is found before training, not replaced after it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from image_classifier import artifacts, own_files
from image_classifier.contract.errors import UserError
from image_classifier.contract.opt_ml import OptMl

UNFINISHED = ".unfinished"
"""A file that lies beside the SavedModel until the model info says whose it is; a job that is killed leaves it."""
_REPLACED = (
    *(artifacts.SAVED_MODEL_DIR, artifacts.OPENVINO_DIR),
    *(artifacts.LABELS_FILE, artifacts.CLASS_INDEX_FILE, artifacts.MODEL_INFO_FILE),
)


def check(opt_ml: OptMl) -> None:
    """Make sure that a job may replace what lies in the model folder; changes nothing.

    Raises:
        UserError: It holds a model or a part of one that no job wrote, or a channel.
    """
    folder, data = opt_ml.model_dir, opt_ml.channel_dir("")
    for channel in sorted(data.iterdir()) if data.is_dir() else []:
        if own_files.holds(folder, channel):
            raise UserError(
                f"The {channel.name} channel {channel} lies in {folder}, where the job writes its model. Give the "
                "channel a folder of its own."
            )
    found = [name for name in _REPLACED if (folder / name).exists() or (folder / name).is_symlink()]
    linked = [name for name in found if (folder / name).is_symlink()]
    if linked or (found and not (folder / UNFINISHED).is_file() and not _is_of_a_job(folder)):
        raise UserError(
            f"{folder} holds {', '.join(linked or found)}, which no job wrote and which this job would replace. Move "
            "it away; to train that model further, give it as the model channel."
        )


def _is_of_a_job(folder: Path) -> bool:
    try:
        info = json.loads((folder / artifacts.MODEL_INFO_FILE).read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(info, dict) and info.get("finetuned") is True and "hyperparameter_sources" in info


@contextmanager
def unfinished(folder: Path) -> Iterator[None]:
    """Mark a model folder as this job's while the SavedModel in it is not yet in its model info.

    Raises:
        OSError: The disk rejects it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    marker, target = folder / UNFINISHED, folder / artifacts.SAVED_MODEL_DIR
    before = _identity(target)
    marker.touch()
    try:
        yield
    except BaseException:
        # A SavedModel that came without its model info stays marked.
        if _identity(target) == before:
            marker.unlink()
        raise
    marker.unlink()


def _identity(path: Path) -> int | None:
    return path.stat().st_ino if path.exists() else None
