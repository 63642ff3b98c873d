from pathlib import Path

from image_classifier.console.index import overlays
from image_classifier.console.index.database import FILE, Index
from image_classifier.console.index.overlays import Revision


def test_revision_is_remembered(tmp_path: Path) -> None:
    """Given an overlay's revision -> it is found by its key, and the latest one counts."""
    index = Index(tmp_path / FILE)
    assert overlays.find(index, "flowers") is None
    overlays.save(index, "flowers", Revision(1, 80))
    overlays.save(index, "flowers", Revision(2, 160))
    assert overlays.find(index, "flowers") == Revision(2, 160)
