"""The revision of each label overlay: how many edits its file held when it was last looked at."""

from dataclasses import dataclass

from image_classifier.console.index.database import Index


@dataclass(frozen=True)
class Revision:
    """A label overlay at one moment."""

    revision: int
    """Number of edits."""
    size: int
    """Bytes of the file; another size means that it was edited since."""


def find(index: Index, key: str) -> Revision | None:
    """Return what is known of the overlay of the data set `key`."""
    rows = index.read("SELECT revision, size FROM overlays WHERE key = ?", (key,))
    return Revision(*rows[0]) if rows else None


def save(index: Index, key: str, revision: Revision) -> None:
    """Remember the revision of an overlay."""
    index.write(
        "INSERT OR REPLACE INTO overlays (key, revision, size) VALUES (?, ?, ?)",
        [(key, revision.revision, revision.size)],
    )
