"""Traits of images, read from their files once: what duplicates, slices and drift are computed from.

JPEGs are decoded at a reduced scale where that suffices, so that a job pays little for its report.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

SIDE = 128
"""Longest side, in pixels, of the reduced image that brightness, contrast, sharpness and hashes are computed of."""


@dataclass(frozen=True)
class Traits:
    """Traits of one image."""

    format: str
    """Such as `jpeg`, by content."""
    width: int
    height: int
    bytes: int
    """Size of the file."""
    brightness: float
    """Mean luma in [0, 1]."""
    contrast: float
    """Standard deviation of the luma, [0, 0.5]."""
    sharpness: float
    """Variance of the Laplacian of the luma at `SIDE` pixels."""
    colourfulness: float
    """Hasler and Suesstrunk (2003), at least 0."""
    perceptual_hash: int
    """64 bits (ImageHash's pHash)."""

    @property
    def aspect_ratio(self) -> float:
        """Width by height."""
        return self.width / self.height


def read(paths: Sequence[Path], check: Callable[[], None] = lambda: None) -> list[Traits | None]:
    """Read the traits of images on all CPUs; None for a file that cannot be decoded (any more).

    `check` is called between images; may raise.
    """
    raise NotImplementedError


def pixels_sha256(path: Path) -> str | None:
    """Return the hash of an image's upright RGB pixels and their size, decoded in full; None if it cannot be decoded.

    Equal pixels in different containers, such as PNG and WebP, have equal hashes.
    """
    raise NotImplementedError
