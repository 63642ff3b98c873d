"""One finding of a health check, and what findings are made of."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from image_classifier.console.datasets.contents import Contents
from image_classifier.console.datasets.health import Facts
from image_classifier.console.datasets.labels import Overlay
from image_classifier.console.datasets.selections import Counts


class Severity(StrEnum):
    """How much a finding matters."""

    BAD = "bad"
    """Training fails, or its score is wrong."""
    WARN = "warn"
    """The model is probably worse for it."""
    NOTE = "note"


@dataclass(frozen=True)
class Finding:
    """One kind of problem."""

    id: str
    """Of addresses."""
    severity: Severity
    title: str
    sentence: str
    images: tuple[str, ...] = ()
    """In the order in which they are shown; copies of one image beside each other."""
    groups: tuple[tuple[str, ...], ...] = ()
    """The copies of each image."""
    excluded: tuple[str, ...] = ()
    """Images whose exclusion removes the problem; empty: no remedy is safe without looking."""
    remedy: str = ""
    """What the button says."""
    lines: tuple[str, ...] = ()
    """Further sentences."""


@dataclass(frozen=True)
class Judged:
    """The facts of a health check, and the present labels that they are judged with."""

    facts: Facts
    contents: Contents
    overlay: Overlay
    counts: Counts

    def class_of(self, image: str) -> str | None:
        """Return the image's class; None if it is excluded or gone."""
        place = self.contents.find(image)
        return None if place is None else self.overlay.class_of(image, place[0].class_of(place[1]))

    def present(self, images: Sequence[str]) -> tuple[str, ...]:
        """Return those of some images that have a class."""
        return tuple(image for image in images if self.class_of(image) is not None)
