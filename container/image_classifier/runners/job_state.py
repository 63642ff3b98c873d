"""The final state of a local job, recorded in its folder, and whether the next job may use that folder."""

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from image_classifier import durable_files
from image_classifier.contract.errors import UserError

STATE_FILE = "job.json"
FINISHED, STOPPED = "finished", "stopped"


@dataclass(frozen=True)
class JobState:
    """The final state of a job that left a model."""

    state: str
    """`FINISHED`, or `STOPPED` before its last epoch."""
    accuracy: float
    """On the validation images, 0 to 1."""
    ended: str
    """Local time, such as 2026-11-29 21:43."""


def record(folder: Path, state: str, accuracy: float) -> None:
    """Record the final state of the job atomically.

    Raises:
        OSError: It cannot be written.
    """
    found = JobState(state, accuracy, time.strftime("%Y-%m-%d %H:%M"))
    durable_files.write_json(folder / STATE_FILE, asdict(found))


def read(folder: Path) -> JobState | None:
    """Return the final state of the job in a folder; None for a job without a model or one that is still running."""
    try:
        return JobState(**json.loads((folder / STATE_FILE).read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


def work_folder(output: Path, overwrite: bool) -> Path:
    """Return the folder in which a job for `output` works: there, or beside an earlier job until it replaces it.

    Raises:
        UserError: It holds a finished job that must not be overwritten, or is a mount point.
    """
    found = read(output)
    if overwrite and output.is_dir() and any(output.iterdir()):
        # Beside the target of a link, so that it can be renamed.
        real = output.resolve()
        if real.is_mount():
            raise UserError(
                f"--output {output} is a mount point, so a new job cannot replace it by renaming. Name "
                "another folder, or a folder on that volume."
            )
        return real.with_name(f"{real.name}.partial")
    if found is None or found.state != FINISHED:
        return output
    raise UserError(
        f"--output {output} holds a job that finished at {found.ended} with validation accuracy {found.accuracy:.4f}. "
        "Name another folder, or give --overwrite to replace it when the new job has finished."
    )
