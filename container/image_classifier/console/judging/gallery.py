"""Images of a result as the report's sections ask for them: captions, and addresses instead of content."""

from collections.abc import Callable
from dataclasses import dataclass

from image_classifier.evaluation.evidence import Evidence
from image_classifier.evaluation.report.images import Caption, Images, Photo


@dataclass(frozen=True)
class Source:
    """Where an image is loaded from; its size is not known."""

    uri: str
    width: int | None = None
    height: int | None = None


@dataclass(frozen=True)
class Gallery:
    """Captions and addresses of images."""

    evidence: Evidence
    address: Callable[[Photo], str]
    """Empty: the image is not on this machine."""

    def caption(self, photo: Photo) -> Caption:
        """Return what is known about an image."""
        return Images(self.evidence).caption(photo)

    def thumbnail(self, photo: Photo) -> Source | None:
        """Return where an image is loaded from; None if it is not on this machine."""
        uri = self.address(photo)
        return Source(uri) if uri else None
