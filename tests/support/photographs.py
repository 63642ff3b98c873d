"""A few real photographs, where all of them would take too long."""

from collections.abc import Mapping
from pathlib import Path

from image_classifier.photographs import sample_sets


def some_solar_cells(scratch: Path, counts: Mapping[str, int]) -> Path:
    """Return a folder with `counts[part]` images of each class in each part, `train` and `held-out`."""
    return sample_sets.some(sample_sets.fetch("solar", scratch / "all"), scratch / "chosen", counts)
