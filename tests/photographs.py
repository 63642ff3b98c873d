"""A few real photographs, where all of them would take too long."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from image_classifier.local.photographs import sample_data


def some_solar_cells(scratch: Path, counts: Mapping[str, int]) -> Path:
    """Return a folder with `counts[part]` pictures of each class in each part, `train` and `held-out`."""
    everything, chosen = sample_data.fetch("solar", scratch / "all"), scratch / "chosen"
    for part, count in counts.items():
        for class_folder in sorted((everything / part).iterdir()):
            target = chosen / part / class_folder.name
            target.mkdir(parents=True)
            for picture in sorted(class_folder.iterdir())[:count]:
                shutil.copyfile(picture, target / picture.name)
    return chosen
