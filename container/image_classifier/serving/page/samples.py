"""Images that the web UI offers to people who have none at hand, from the folder that SERVE_SAMPLES names."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from image_classifier.contract.system_names import is_ignored
from image_classifier.imaging import EXTENSIONS

MOST = 12
"""Images that are offered, evenly spaced over the folder."""


@dataclass(frozen=True)
class Sample:
    """One offered image."""

    name: str
    label: str | None
    """The name of its folder, if that is a class."""
    url: str
    """Relative to the page."""


def find(folder: Path | None) -> tuple[Path, ...]:
    """Return the images in a folder and below it that are offered, without system files; none without a folder."""
    if folder is None:
        return ()
    found = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in EXTENSIONS
        and path.is_file()
        and not any(map(is_ignored, path.relative_to(folder).parts))
    )
    count = min(MOST, len(found))
    return tuple(found[index * len(found) // count] for index in range(count))


def described(paths: Sequence[Path], class_names: Sequence[str]) -> tuple[Sample, ...]:
    """Return what the page says about the offered images."""
    return tuple(
        Sample(path.name, path.parent.name if path.parent.name in class_names else None, f"page/samples/{index}")
        for index, path in enumerate(paths)
    )
