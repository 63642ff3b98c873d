"""Print what is installed in the image that runs this: Python packages, Debian packages, and staged backbones.

Standard library only: `python -` in an image reads this file from its standard input. Prints one JSON object.
"""

import json
import platform
import subprocess
import sys
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

_HUB = Path("/opt/hub")
_DEBIAN = "${Package}\t${Version}\t${Architecture}\t${source:Package}\t${source:Version}\n"


@dataclass(frozen=True)
class PythonPackage:
    """A package and the licence in its metadata."""

    name: str
    version: str
    expression: str
    """License-Expression, in SPDX terms; may be empty, like the fields below."""
    licence: str
    """License, in any words; the first line."""
    classifiers: tuple[str, ...]
    """The last part of each `License ::` classifier."""


@dataclass(frozen=True)
class DebianPackage:
    """A package and the source package that it was built from."""

    name: str
    version: str
    architecture: str
    source: str
    source_version: str


@dataclass(frozen=True)
class Backbone:
    """A model staged into the image, described by its model info; empty where that has no value."""

    name: str
    source: str
    licence: str
    sha256: str
    """Of the SavedModel's folder, by the rule of image_classifier.artifacts."""


@dataclass(frozen=True)
class Installed:
    """Everything installed, each list in alphabetical order."""

    system: str
    """os-release's ID, such as debian."""
    system_version: str
    python: tuple[PythonPackage, ...]
    debian: tuple[DebianPackage, ...]
    backbones: tuple[Backbone, ...]


def python_packages() -> tuple[PythonPackage, ...]:
    """Return the packages that this interpreter would import."""
    found: dict[str, PythonPackage] = {}
    for distribution in metadata.distributions():
        described = distribution.metadata
        classifiers = (line.split(" :: ") for line in described.get_all("Classifier") or [])
        package = PythonPackage(
            name=described["Name"],
            version=distribution.version,
            expression=(described.get_all("License-Expression") or [""])[0],
            licence=next(iter((described.get_all("License") or [""])[0].strip().splitlines()), ""),
            classifiers=tuple(parts[-1] for parts in classifiers if parts[0] == "License"),
        )
        # The first on the path is the one that is imported.
        found.setdefault(package.name.lower(), package)
    return tuple(found[name] for name in sorted(found))


def debian_packages() -> tuple[DebianPackage, ...]:
    """Return the packages installed by dpkg."""
    done = subprocess.run(["dpkg-query", "-W", "-f", _DEBIAN], check=True, capture_output=True, text=True)
    return tuple(DebianPackage(*line.split("\t")) for line in sorted(done.stdout.splitlines()))


def backbones(hub: Path = _HUB) -> tuple[Backbone, ...]:
    """Return the models staged in the image; most images have none."""
    found = []
    for file in sorted(hub.glob("*/__model_info__.json")):
        info = json.loads(file.read_text(encoding="utf-8"))
        found.append(Backbone(file.parent.name, *(info.get(key) or "" for key in ("source", "licence", "sha256"))))
    return tuple(found)


def installed() -> Installed:
    """Return everything installed on this system, which is based on Debian."""
    system = platform.freedesktop_os_release()
    return Installed(
        system["ID"],
        # The point release, where it is known.
        system.get("DEBIAN_VERSION_FULL") or system["VERSION_ID"],
        python_packages(),
        debian_packages(),
        backbones(),
    )


def parse(text: str) -> Installed:
    """Parse the output of this module."""
    found = json.loads(text)
    python = (PythonPackage(**{**each, "classifiers": tuple(each["classifiers"])}) for each in found.pop("python"))
    debian = (DebianPackage(**each) for each in found.pop("debian"))
    models = (Backbone(**each) for each in found.pop("backbones"))
    return Installed(**found, python=tuple(python), debian=tuple(debian), backbones=tuple(models))


if __name__ == "__main__":
    json.dump(asdict(installed()), sys.stdout)
