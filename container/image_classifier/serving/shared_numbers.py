"""The folder in which several processes of a server keep what /metrics shows, so that each can answer for all.

Used by gunicorn's first process, which itself counts nothing and so does not import the library.
"""

import os
import shutil
import tempfile
from pathlib import Path

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""Where prometheus_client looks for the folder, once, when it is imported."""


def prepare(workers: int) -> Path | None:
    """Make the folder and tell the processes of it; None when there is one process, which needs none."""
    # What a caller has set there may hold the numbers of an earlier server.
    os.environ.pop(VARIABLE, None)
    if workers == 1:
        return None
    folder = Path(tempfile.mkdtemp(prefix="image-classifier-metrics-"))
    os.environ[VARIABLE] = str(folder)
    return folder


def forget(folder: Path | None, process: int) -> None:
    """Drop what a process that died was doing at the time; what it has done still counts."""
    if folder is not None:
        for path in folder.glob(f"gauge_live*_{process}.db"):
            path.unlink(missing_ok=True)


def remove(folder: Path | None) -> None:
    """Remove the folder."""
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)
