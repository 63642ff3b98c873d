"""Which images the page shows, each with its labels, and their thumbnails within one budget."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from image_classifier.contract import names
from image_classifier.evaluation import thumbnails
from image_classifier.evaluation.evidence import Evidence
from image_classifier.evaluation.judgement import Evaluation
from image_classifier.evaluation.thumbnails import Request, Thumbnail
from image_classifier.evaluation.wording import percent, shortened

MOST = 480
"""Thumbnails of a page; those of further images are left out, the sections that come first keep theirs."""


@dataclass(frozen=True)
class Photo:
    """An image that a section shows."""

    split: str
    row: int
    with_map: bool = False
    """Whether its occlusion map is drawn over it."""


@dataclass(frozen=True)
class Caption:
    """What is known about an image."""

    file: str
    label: str
    predicted: str | None
    probability: str | None
    """Of the predicted class."""

    @property
    def alternative(self) -> str:
        """The text in place of the image."""
        answer = f", answered {self.predicted}" if self.predicted is not None else ""
        return f"{self.file}, labelled {self.label}{answer}"


@dataclass(frozen=True)
class Images:
    """Captions and thumbnails of images."""

    evidence: Evidence
    thumbnails: dict[Photo, Thumbnail] = field(default_factory=dict)

    def thumbnail(self, photo: Photo) -> Thumbnail | None:
        """Return an image's thumbnail if it has one."""
        return self.thumbnails.get(photo)

    def caption(self, photo: Photo) -> Caption:
        """Return what is known about an image."""
        split = self.evidence.split(photo.split)
        if split is None:
            return Caption(photo.split, "", None, None)
        classes = self.evidence.class_names
        file, label = names.on_one_line(split.files[photo.row]), shortened(classes[split.labels[photo.row]])
        row = split.probabilities[photo.row] if split.probabilities is not None else None
        if row is None or not np.isfinite(row).all():
            return Caption(file, label, None, None)
        best = int(row.argmax())
        return Caption(file, label, shortened(classes[best]), percent(float(row[best])))


def load(evaluation: Evaluation, photos: Iterable[Photo], with_thumbnails: bool) -> Images:
    """Return the images of a page, the first `MOST` distinct ones of `photos` with a thumbnail."""
    evidence = evaluation.evidence
    requests: dict[Photo, Request] = {}
    uses = Counter(photos if with_thumbnails else ())
    for photo, count in list(uses.items())[:MOST]:
        if (split := evidence.split(photo.split)) is not None:
            overlay = evaluation.occlusion_maps.get(photo.row) if photo.with_map else None
            requests[photo] = Request(split.path(photo.row), overlay, count)
    return Images(evidence, thumbnails.read(requests))


def photos(split: str, rows: Sequence[int], limit: int) -> tuple[Photo, ...]:
    """Return the first images of some rows."""
    return tuple(Photo(split, int(row)) for row in rows[:limit])
