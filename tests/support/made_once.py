"""What is costly to make and only read afterwards: made once in a run, by whichever worker asks first."""

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object], key: object = None) -> Path:
    """Return a folder that `make` has filled, below the temporary folder that all workers of the run share.

    `key`: what the content depends on, as JSON; folders of one name and another key are others. Who changes the content
    takes a copy.
    """
    base = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    digest = hashlib.sha256(json.dumps(key, sort_keys=True, default=str).encode()).hexdigest()[:12]
    folder, finished = (base / "made-once" / f"{name}-{digest}{suffix}" for suffix in ("", ".finished"))
    folder.parent.mkdir(exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not finished.exists():
            # A worker that failed here has left a part.
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            finished.touch()
    return folder
