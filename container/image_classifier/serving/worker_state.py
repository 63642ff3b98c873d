"""The folder that the workers of a server share: their metrics, and which of them are ready.

Also used by gunicorn's first process, which has no metrics and so does not import the library. A worker allocates its
files when it starts: a disk that fills up later causes no failure.
"""

import contextlib
import os
import shutil
import sys
import tempfile
from pathlib import Path

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""Read by prometheus_client when it is imported."""
KINDS = ("counter", "histogram", "gauge_livesum", "gauge_livemin", "gauge_livemax")
"""The files of a worker, as prometheus_client names them."""
FILE_BYTES = 128 * 1024
"""Size of each file; twice what all series of a server need. A sparse file would occupy no space at first, and a later
write to a full disk would kill the process by SIGBUS."""
_IN_MEMORY = Path("/dev/shm")
_LOADING, _READY = "loading_", "ready_"


def prepare(workers: int) -> Path | None:
    """Create the folder and publish it in the environment; return None for a single worker, which needs none.

    It is in memory if there is room for all workers, else in the temporary folder. If neither works the result is None
    as well, and each worker has metrics of its own.
    """
    # A folder set by the caller may contain the metrics of an earlier server.
    os.environ.pop(VARIABLE, None)
    if workers == 1:
        return None
    for parent in (_IN_MEMORY, None):
        with contextlib.suppress(OSError):
            if parent and not _has_room(parent, workers):
                continue
            folder = Path(tempfile.mkdtemp(prefix="image-classifier-", dir=parent))
            os.environ[VARIABLE] = str(folder)
            return folder
    return None


def join() -> bool:
    """Allocate this worker's files before it counts anything; return whether its metrics are shared.

    If there is no space the result is False, and the worker continues as if there were no folder. Without a shared
    folder the result is True.
    """
    folder = os.environ.get(VARIABLE)
    if not folder:
        return True
    paths = [Path(folder, f"{kind}_{os.getpid()}.db") for kind in KINDS]
    try:
        for path in paths:
            _allocate(path)
        Path(folder, f"{_LOADING}{os.getpid()}").touch()
    except OSError:
        os.environ.pop(VARIABLE)
        for path in paths:
            with contextlib.suppress(OSError):
                path.unlink()
        return False
    return True


def forget(folder: Path | None, pid: int) -> None:
    """Drop the live state of a worker that exited: its gauges and that it was ready. Its counters are kept."""
    if folder is None:
        return
    with contextlib.suppress(OSError):
        states = (folder / f"{state}{pid}" for state in (_LOADING, _READY))
        for path in (*folder.glob(f"gauge_live*_{pid}.db"), *states):
            path.unlink(missing_ok=True)
        for path in folder.glob(f"*_{pid}.db"):
            _shorten(path)


def announce_ready() -> None:
    """Announce to the other workers, if any, that this one is ready."""
    folder = os.environ.get(VARIABLE)
    # Renaming a file works even on a full disk. The folder is gone when the server has exited.
    with contextlib.suppress(OSError):
        if folder:
            Path(folder, f"{_LOADING}{os.getpid()}").replace(Path(folder, f"{_READY}{os.getpid()}"))


def another_worker_is_ready() -> bool:
    """Return whether another worker is ready while this one is not."""
    folder = os.environ.get(VARIABLE)
    try:
        if not folder or Path(folder, f"{_READY}{os.getpid()}").exists():
            return False
        return any(path.name.startswith(_READY) for path in Path(folder).iterdir())
    except OSError:  # out of descriptors, or the folder is gone: accept connections rather than ignore them
        return False


def remove(folder: Path | None) -> None:
    """Remove the folder."""
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)


def _has_room(parent: Path, workers: int) -> bool:
    # Twice, for restarted workers: the counters of a worker outlive it.
    disk = os.statvfs(parent)
    return os.access(parent, os.W_OK) and disk.f_bavail * disk.f_frsize > 2 * workers * len(KINDS) * FILE_BYTES


def _shorten(path: Path) -> None:
    # To the used length, stored in its first four bytes: the files of all former workers are kept.
    with path.open("r+b") as file:
        if len(head := file.read(4)) == 4:
            file.truncate(max(int.from_bytes(head, sys.byteorder), 8))


def _allocate(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        os.posix_fallocate(descriptor, 0, FILE_BYTES)
    finally:
        os.close(descriptor)
