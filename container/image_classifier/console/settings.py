"""Where the console keeps its files, what it may read, and how it is reached."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from image_classifier.console.roots import Roots

HOST, PORT = "127.0.0.1", 8000
AT_ONCE = 1
"""Jobs that run at the same time on this machine, unless asked otherwise."""


@dataclass(frozen=True)
class Settings:
    """What the command's options ask for."""

    home: Path
    roots: Roots
    host: str = HOST
    port: int = PORT
    hosts: tuple[str, ...] = ()
    """Further names under which browsers reach the console, such as that of a proxy."""
    jobs_at_once: int = AT_ONCE
    browser: bool = field(default=False)
    """Open the console in the desktop's browser."""


def default_home() -> Path:
    """Return the folder of the console by the XDG base directory specification."""
    data = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(data).expanduser() / "image-classifier"
