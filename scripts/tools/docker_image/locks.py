"""Read what the images install from their locks."""

import re
from dataclasses import dataclass
from pathlib import Path

from image_classifier import PROGRAM

IMAGE_LOCKS = {
    "serve": "docker/requirements-serve.txt",
    "cpu": "docker/requirements-cpu.txt",
    "gpu": "requirements.txt",
}
"""Each target's lock, from the project's root."""


@dataclass(frozen=True)
class Pin:
    """One version of a package, and the SHA-256 of every archive that may bring it, in hexadecimal."""

    name: str
    version: str
    hashes: tuple[str, ...]


def read(lock: Path) -> list[Pin]:
    """Return a lock's pins in its order; a package is there twice when the version depends on Python's.

    What only other systems install is left out.
    """
    lines = lock.read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    return [
        Pin(found["name"], found["version"], tuple(re.findall(r"--hash=sha256:([0-9a-f]{64})", line)))
        for line in lines
        if (found := re.match(r"(?P<name>[a-z0-9-]+)==(?P<version>[^\s;]+)", line))
        and "sys_platform == 'win32'" not in line
    ]


def pins_of(target: str) -> list[Pin]:
    """Return what an image's lock pins."""
    return read(PROGRAM.parent / IMAGE_LOCKS[target])


def normalised(name: str) -> str:
    """Return a package's name as locks and purls write it.

    https://packaging.python.org/en/latest/specifications/name-normalization/
    """
    return re.sub(r"[-_.]+", "-", name).lower()
