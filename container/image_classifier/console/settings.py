"""Where the console keeps its files, what it may read, and how it is reached."""

import os
from dataclasses import dataclass
from pathlib import Path

from image_classifier.console.roots import Roots

LOOPBACK = "127.0.0.1"
PORT = 8000
AT_ONCE = 1
"""Jobs that run at the same time on this machine, unless asked otherwise."""
_IMAGE_DATA = Path("/data")
"""Where the image's users mount their folder."""


@dataclass(frozen=True)
class Settings:
    """What the command's options ask for."""

    home: Path
    roots: Roots
    host: str = LOOPBACK
    port: int = PORT
    hosts: tuple[str, ...] = ()
    """Further names under which browsers reach the console, such as that of a proxy."""
    jobs_at_once: int = AT_ONCE
    opens_browser: bool = False


@dataclass(frozen=True)
class Defaults:
    """What counts for options that are not given."""

    home: Path
    roots: tuple[Path, ...]
    host: str


def of_machine() -> Defaults:
    """Return the defaults on a machine; the home folder is by the XDG base directory specification."""
    data = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Defaults(Path(data).expanduser() / "image-classifier", (Path.cwd(), Path.home()), LOOPBACK)


def of_image() -> Defaults:
    """Return the defaults in the image: files below /data if that is mounted, and all addresses of the container.

    Docker reaches a container by an address that is not its loopback; `--publish 127.0.0.1:8000:8000` decides who
    reaches it.
    """
    if not _IMAGE_DATA.is_dir():
        here = of_machine()
        return Defaults(here.home, here.roots, "0.0.0.0")
    return Defaults(_IMAGE_DATA / "image-classifier", (_IMAGE_DATA,), "0.0.0.0")
