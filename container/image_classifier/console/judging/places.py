"""Where the images of a result lie on this machine: a job in Docker or on SageMaker saw them under other paths."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from image_classifier.console.roots import Roots
from image_classifier.contract.errors import UserError
from image_classifier.evaluation.evidence import Split
from image_classifier.runners import experiment


@dataclass(frozen=True)
class Places:
    """The folder of each split, by its name; a split without one has images elsewhere."""

    folders: Mapping[str, Path]
    roots: Roots

    def find(self, split: Split, row: int) -> Path | None:
        """Return the file of an image in an allowed folder; None if it is not there (any more)."""
        folder = self.folders.get(split.name)
        try:
            return self.roots.resolve(folder / split.files[row]) if folder else None
        except UserError:
            return None


def of(job: Path, splits: tuple[Split, ...], roots: Roots) -> Places:
    """Return where the images of a job lie: its own input folder, what it was asked for, or the path that it saw."""
    asked = _asked(job)
    found = {}
    for split in splits:
        channel = split.folder.name
        candidates = (asked.get(channel), job / "input" / "data" / channel, split.folder)
        if folder := next((each for each in candidates if each is not None and each.is_dir()), None):
            found[split.name] = folder
    return Places(found, roots)


def _asked(job: Path) -> dict[str, Path]:
    try:
        channels = experiment.read(job / experiment.FILE).channels
    except UserError:
        return {}
    return {name: Path(address) for name, address in channels.items() if not experiment.is_s3(address)}
