"""The Python blocks of docs/guides, run as they are shown: the blocks of one section, in order, are one script."""

import re
from pathlib import Path

from PIL import Image

GUIDES = Path(__file__).parents[2] / "docs" / "guides"
EXECUTED = {
    "batch-transform.md": ("On your machine",),
    "boto3.md": ("On SageMaker",),
    "drift.md": ("The same with boto3",),
    "multi-model.md": ("On SageMaker",),
    "sdk-v2.md": ("On SageMaker", "On your machine"),
    "sdk-v3.md": ("On SageMaker", "On your machine"),
}
"""Which sections of which guide some test executes; tests/repository/test_guides.py finds blocks elsewhere."""


def sections(guide: str) -> dict[str, list[str]]:
    """Return the Python blocks below each heading of the second level; those before the first are under ``""``."""
    found: dict[str, list[str]] = {}
    parts = re.split(r"^## (.*)$", (GUIDES / guide).read_text(encoding="utf-8"), flags=re.MULTILINE)
    for heading, text in zip(["", *parts[1::2]], parts[::2], strict=True):
        found[heading] = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return found


def script(guide: str, section: str, **names: str | Path) -> str:
    """Return a section's blocks with values of the test's own for names that the section assigns.

    Raises:
        ValueError: The section does not assign one of them, so that it could not be pasted.
    """
    found = "".join(sections(guide)[section])
    for name, value in names.items():
        assigned = re.search(rf"^{name} = .*$", found, re.MULTILINE)
        if not assigned:
            raise ValueError(f"{guide}, section {section}, does not assign {name}.")
        found = f"{found[: assigned.start()]}{name} = {str(value)!r}{found[assigned.end() :]}"
    return found


def write_plain_image(path: Path) -> Path:
    """Write an image all of whose bytes are below 128, and return its path.

    moto's server takes a body for text (moto/core/responses.py decodes it), which no photograph is.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 4)).save(path, "BMP", dpi=(1, 1))
    assert max(path.read_bytes()) < 128
    return path
