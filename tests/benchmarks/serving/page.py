"""docs/reference/serving-benchmark.md: three blocks, each written by the command that measures it."""

import re
from pathlib import Path

from image_classifier import PROGRAM
from image_classifier.resources.processors import CPU_INFORMATION, available_processors
from tests.benchmarks.serving.places import PEERS_LOCK, PROGRAM_LOCK
from tools.docker_image import locks

PAGE = PROGRAM.parent / "docs" / "reference" / "serving-benchmark.md"
_NAMED = (
    "openvino",
    "pillow",
    "gunicorn",
    "flask",
    "tensorflow-cpu",
    "tf-keras",
    "tensorflow-hub",
    "litserve",
    "uvicorn",
)
_EMPTY = """# Serving, measured

<!-- begin: speed -->
<!-- end: speed -->

<!-- begin: precision -->
<!-- end: precision -->

<!-- begin: overload -->
<!-- end: overload -->
"""


def write(name: str, content: str, page: Path = PAGE) -> None:
    """Replace one block of the page, `speed`, `precision` or `overload`; the others and what stands between are kept.

    Raises:
        ValueError: The page has no such block.
    """
    text = page.read_text(encoding="utf-8") if page.exists() else _EMPTY
    begin, end = f"<!-- begin: {name} -->", f"<!-- end: {name} -->"
    if begin not in text or end not in text:
        raise ValueError(f"{page} has no block {begin} … {end}.")
    before, after = text.split(begin)[0], text.split(end)[1]
    page.write_text(f"{before}{begin}\n{content.strip()}\n{end}{after}", encoding="utf-8")


def machine(information: Path = CPU_INFORMATION) -> str:
    """Name the CPU, how many of them there are, and the versions of what is compared."""
    found = re.search(r"^model name\s*:\s*(.+)$", information.read_text(encoding="utf-8"), re.MULTILINE)
    pins = {pin.name: pin.version for lock in (PROGRAM_LOCK, PEERS_LOCK) for pin in locks.read(lock)}
    versions = ", ".join(f"{name} {pins[name]}" for name in _NAMED if name in pins)
    return f"{available_processors()} CPUs ({found[1] if found else 'unknown'}); {versions}."
