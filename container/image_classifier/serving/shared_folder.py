"""The folder that several processes of a server share: what /metrics shows, and which of them have their model.

Used by gunicorn's first process, which itself counts nothing and so does not import the library.
"""

import os
import shutil
import tempfile
from pathlib import Path

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""Where prometheus_client looks for the folder, once, when it is imported."""
_READY = "ready_"


def prepare(workers: int) -> Path | None:
    """Make the folder and tell the processes of it; None when there is one process, which needs none."""
    # What a caller has set there may hold the numbers of an earlier server.
    os.environ.pop(VARIABLE, None)
    if workers == 1:
        return None
    folder = Path(tempfile.mkdtemp(prefix="image-classifier-"))
    os.environ[VARIABLE] = str(folder)
    return folder


def forget(folder: Path | None, process: int) -> None:
    """Drop what a process that died was doing at the time, and that it was ready; what it has done still counts."""
    if folder is not None:
        for path in (*folder.glob(f"gauge_live*_{process}.db"), folder / f"{_READY}{process}"):
            path.unlink(missing_ok=True)


def tell_ready() -> None:
    """Tell the other processes, if there are any, that this one has its model."""
    if folder := os.environ.get(VARIABLE):
        Path(folder, f"{_READY}{os.getpid()}").touch()


def others_ready() -> bool:
    """Say whether another process has its model while this one has none."""
    folder = os.environ.get(VARIABLE)
    if not folder or Path(folder, f"{_READY}{os.getpid()}").exists():
        return False
    return any(Path(folder).glob(f"{_READY}*"))


def remove(folder: Path | None) -> None:
    """Remove the folder."""
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)
