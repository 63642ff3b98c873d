"""The folder that several processes of a server share: what /metrics shows, and which of them have their model.

Used by gunicorn's first process, which itself counts nothing and so does not import the library. What a process needs
of the folder is taken when it starts: a disk that is full later fails nothing.
"""

import contextlib
import os
import shutil
import sys
import tempfile
from pathlib import Path

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""Where prometheus_client looks for the folder, once, when it is imported."""
KINDS = ("counter", "histogram", "gauge_livesum", "gauge_livemin", "gauge_livemax")
"""The files of a process, by the names that prometheus_client gives them."""
FILE_BYTES = 128 * 1024
"""Of each; twice what all series of a server take. A file that is only as long as it says takes no room when it is
made, and the process is killed by SIGBUS when it later writes where the disk has none."""
_IN_MEMORY = Path("/dev/shm")
_LOADING, _READY = "loading_", "ready_"


def prepare(workers: int) -> Path | None:
    """Make the folder and tell the processes of it; None when there is one process, which needs none.

    It is in memory where that has room for all of them, else in the temporary folder; None, too, where neither takes
    it: then each process counts for itself.
    """
    # What a caller has set there may hold the numbers of an earlier server.
    os.environ.pop(VARIABLE, None)
    if workers == 1:
        return None
    for place in (_IN_MEMORY, None):
        with contextlib.suppress(OSError):
            if place and not _has_room(place, workers):
                continue
            folder = Path(tempfile.mkdtemp(prefix="image-classifier-", dir=place))
            os.environ[VARIABLE] = str(folder)
            return folder
    return None


def take_part() -> bool:
    """Take this process's space in the folder, before it counts anything; says whether it shares in the folder.

    False, and as if there were no folder, when it cannot have the space; True, too, where there is no folder to share.
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


def forget(folder: Path | None, process: int) -> None:
    """Drop what a process that died was doing at the time, and that it was ready; what it has done still counts."""
    if folder is None:
        return
    with contextlib.suppress(OSError):
        states = (folder / f"{state}{process}" for state in (_LOADING, _READY))
        for path in (*folder.glob(f"gauge_live*_{process}.db"), *states):
            path.unlink(missing_ok=True)
        for path in folder.glob(f"*_{process}.db"):
            _shorten(path)


def tell_ready() -> None:
    """Tell the other processes, if there are any, that this one has its model."""
    folder = os.environ.get(VARIABLE)
    # Another name for a file that is there: a full disk takes that. The folder is gone when the server has ended.
    with contextlib.suppress(OSError):
        if folder:
            Path(folder, f"{_LOADING}{os.getpid()}").replace(Path(folder, f"{_READY}{os.getpid()}"))


def others_ready() -> bool:
    """Say whether another process has its model while this one has none."""
    folder = os.environ.get(VARIABLE)
    try:
        if not folder or Path(folder, f"{_READY}{os.getpid()}").exists():
            return False
        return any(path.name.startswith(_READY) for path in Path(folder).iterdir())
    except OSError:  # no descriptor is left, or the folder is gone: connections are taken rather than left alone
        return False


def remove(folder: Path | None) -> None:
    """Remove the folder."""
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)


def _has_room(place: Path, workers: int) -> bool:
    # Twice, for those that take the place of others: what a process has done counts on after its end.
    found = os.statvfs(place)
    return os.access(place, os.W_OK) and found.f_bavail * found.f_frsize > 2 * workers * len(KINDS) * FILE_BYTES


def _shorten(path: Path) -> None:
    # To what is used of it, which its first four bytes say: the files of all processes that ever were are kept.
    with path.open("r+b") as file:
        if len(head := file.read(4)) == 4:
            file.truncate(max(int.from_bytes(head, sys.byteorder), 8))


def _allocate(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        os.posix_fallocate(descriptor, 0, FILE_BYTES)
    finally:
        os.close(descriptor)
