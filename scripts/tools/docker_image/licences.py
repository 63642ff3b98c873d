"""The licence of every Python package in the images, as SPDX expressions, and the allow-list."""

import re
from dataclasses import dataclass
from types import MappingProxyType

from image_classifier.contract.errors import UserError
from tools.docker_image import locks
from tools.docker_image.installed_packages import PythonPackage, python_packages

ALLOWED = frozenset(
    {
        *("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "HPND", "ISC", "MIT", "MIT-CMU"),
        *("MPL-2.0", "PSF-2.0", "Zlib"),
    }
)
"""Allowed in an image: open licences without conditions for a program that uses the package unchanged."""
NVIDIA = "LicenseRef-NVIDIA-Proprietary"
"""Allowed for nvidia-* only, which only the gpu image has."""

_SPELLINGS = MappingProxyType(
    {
        "3-Clause BSD License": "BSD-3-Clause",
        "Apache 2.0": "Apache-2.0",
        "Apache License 2.0": "Apache-2.0",
        "Apache Software License": "Apache-2.0",
        "Apache-2.0": "Apache-2.0",
        "BSD 3-Clause": "BSD-3-Clause",
        "BSD-3-Clause": "BSD-3-Clause",
        "MIT": "MIT",
        "MIT License": "MIT",
        "MPL-2.0": "MPL-2.0",
        "NVIDIA Proprietary Software": NVIDIA,
        NVIDIA: NVIDIA,
    }
)
"""Unambiguous values of License and of classifiers in package metadata."""


@dataclass(frozen=True)
class Licence:
    """An SPDX expression and where it is written."""

    expression: str
    source: str


_METADATA = "its metadata"
_OWN_FILE = "its licence file; the metadata say no more than BSD"
_FILE = "its licence file"
STATED = MappingProxyType(
    {
        "astunparse": Licence("BSD-3-Clause AND PSF-2.0", _OWN_FILE),
        "contourpy": Licence("BSD-3-Clause", _FILE),
        "cycler": Licence("BSD-3-Clause", _FILE),
        "cykooz-resizer": Licence("Apache-2.0 OR MIT", "its licence files; the metadata name both"),
        "imagehash": Licence("BSD-2-Clause", _FILE),
        "itsdangerous": Licence("BSD-3-Clause", _OWN_FILE),
        "jinja2": Licence("BSD-3-Clause", _OWN_FILE),
        "kiwisolver": Licence("BSD-3-Clause", _FILE),
        "matplotlib": Licence("PSF-2.0", "its licence file, the terms of PSF-2.0 with its own name"),
        "python-dateutil": Licence("Apache-2.0 OR BSD-3-Clause", 'its licence file; the metadata say "Dual License"'),
        "scipy": Licence("BSD-3-Clause", _OWN_FILE),
        "tqdm": Licence("MPL-2.0 AND MIT", _METADATA),
    }
)
"""Read manually, since the metadata are ambiguous."""


def licence_of(package: PythonPackage) -> Licence | None:
    """Return a package's licence; None if neither its metadata nor `STATED` has it."""
    if stated := STATED.get(locks.normalised(package.name)):
        return stated
    if package.expression:
        return Licence(package.expression, _METADATA)
    for words in (package.licence, *(package.classifiers if len(package.classifiers) == 1 else ())):
        if words in _SPELLINGS:
            return Licence(_SPELLINGS[words], _METADATA)
    return None


def is_allowed(name: str, expression: str) -> bool:
    """Return whether a package is allowed in an image: one side of each OR must be, and both sides of an AND."""
    allowed = ALLOWED | {NVIDIA} if name.startswith("nvidia-") else ALLOWED
    # Parentheses are not parsed: every licence must then be allowed.
    sides = [expression] if "(" in expression else expression.split(" OR ")
    needed = ([word for word in re.split(r" AND | OR |[()]+", side) if word] for side in sides)
    return any(words and allowed.issuperset(words) for words in needed)


def locked_licences() -> dict[str, Licence | None]:
    """Return the licence of each package in the images' locks, from the metadata of the packages installed here.

    Raises:
        UserError: A package of the cpu image's lock is not installed here.
    """
    here = {locks.normalised(package.name): package for package in python_packages()}
    found: dict[str, Licence | None] = {}
    for name in sorted({pin.name for target in locks.IMAGE_LOCKS for pin in locks.pins_of(target)}):
        if name in here:
            found[name] = licence_of(here[name])
            continue
        found[name] = _licence_in_the_gpu_image(name)
    return found


def _licence_in_the_gpu_image(name: str) -> Licence:
    # Not installed on development machines; a test of the gpu image compares them with its metadata.
    source = "its metadata in the gpu image"
    if name == "tensorflow":
        return Licence("Apache-2.0", source)
    if name.startswith("nvidia-"):
        return Licence(NVIDIA, source)
    raise UserError(f"{name} is in a lock but not in .venv, which has its licence: run scripts/setup.")


def table(found: dict[str, Licence | None], targets: dict[str, str] | None = None) -> str:
    """Return a Markdown table of licences; with `targets`, a column says which images have the package."""
    header = ["package", "licence", "where it is written", *(["images"] if targets is not None else [])]
    lines = [header, ["---"] * len(header)]
    for name, licence in found.items():
        cells = [name, licence.expression if licence else "unknown", licence.source if licence else ""]
        lines.append(cells if targets is None else [*cells, targets[name]])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def page() -> str:
    """Return docs/reference/licences.md."""
    names = {target: {pin.name for pin in locks.pins_of(target)} for target in locks.IMAGE_LOCKS}
    found = locked_licences()
    targets = {name: ", ".join(target for target in names if name in names[target]) for name in found}
    return f"""<!-- Written by scripts/docs from the locks and the packages' metadata; change nothing here. -->

# Licences of the packages in the images

Each package's own licence as an SPDX expression. Libraries that a package brings along (OpenBLAS in NumPy, HDF5 in
h5py, oneTBB in OpenVINO ...) have theirs in its `*.dist-info` folder inside the image. A test rejects a lock with a
licence other than these:

{", ".join(sorted(ALLOWED))}.

The gpu image also has NVIDIA's libraries, under NVIDIA's licences, which set conditions for passing them on: read
them (`nvidia_*.dist-info` in the image) before you give that image to others.

`scripts/sbom IMAGE --licences` prints the same table for what really is in an image.

{table(found, targets)}
Debian's packages bring their licences along: `/usr/share/doc/<package>/copyright` inside the images. The program is
Apache-2.0 (`LICENSE`); weights and photographs that the scripts can fetch are in `NOTICE`.
"""
