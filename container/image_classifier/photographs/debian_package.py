"""Fetch a Debian package with apt and unpack it into a folder. No root is needed."""

import subprocess
from pathlib import Path

from image_classifier.contract.errors import PlatformError, last_line


def unpack(package: str, into: Path) -> Path:
    """Download a package into the existing folder `into` and return the root of its files.

    Raises:
        PlatformError: apt is missing, or it cannot fetch the package.
    """
    _download(package, into)
    _run(["dpkg-deb", "-x", str(next(into.glob("*.deb"))), "unpacked"], package, into)
    return into / "unpacked"


def _download(package: str, folder: Path) -> None:
    download = ["apt-get", "download", "--quiet", package]
    try:
        _run(download, package, folder)
    except PlatformError:
        # Separate package lists: a new machine has none, and updating the system's needs root.
        (folder / "lists" / "partial").mkdir(parents=True)
        own = ["-o", f"Dir::State::Lists={folder / 'lists'}", "-o", f"Dir::Cache={folder}"]
        _run(["apt-get", "update", "--quiet", *own], package, folder)
        _run([*download, *own], package, folder)


def _run(command: list[str], package: str, folder: Path) -> None:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise PlatformError(f"{package} is a Debian package, and this machine has no {command[0]}.") from error
    if done.returncode != 0:
        raise PlatformError(f"{' '.join(command[:2])} {package} failed: {last_line(done.stderr)}.")
