"""The labelled image files of a channel. No image is opened here."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from image_classifier.class_folders.unused_files import UnusedFiles


@dataclass(frozen=True, slots=True)
class Example:
    """One image and the index of its class."""

    path: Path
    label: int
    owner: int | None = None
    """Rank of the only host that has the file; None: every host has it."""
    split: str | None = None
    """Split that a manifest gives the image: training, validation or test; None: not given."""


@dataclass(frozen=True)
class Listing:
    """The images of one channel."""

    folder: Path
    class_names: tuple[str, ...]
    examples: tuple[Example, ...]
    other_files: Mapping[str, int] = field(default_factory=dict)
    """Files in class folders that are not images: ending to count."""
    unused: UnusedFiles = field(default_factory=UnusedFiles)
    """Details of the other files on this host, by class."""

    def name(self, example: Example) -> str:
        """Return the image's path below the channel."""
        # As text: pathlib takes seconds to do this for 100,000 images.
        return str(example.path).removeprefix(f"{self.folder}/")

    @cached_property
    def subfolders(self) -> list[set[str]]:
        """For each class the names of its sub-folders that hold images, at any depth."""
        found: list[set[str]] = [set() for _ in self.class_names]
        for example in self.examples:
            parts = self.name(example).split("/", 2)
            if len(parts) > 2:
                found[example.label].add(parts[1])
        return found

    def counts(self) -> dict[str, int]:
        """Return the number of images of each class, in class order."""
        found = Counter(example.label for example in self.examples)
        return {name: found[index] for index, name in enumerate(self.class_names)}
