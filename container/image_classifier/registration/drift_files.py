"""The drift baseline of a model as the two files that Model Monitor and the model registry read."""

import tempfile
from pathlib import Path

from image_classifier import durable_files
from image_classifier.contract import gate_files
from image_classifier.monitoring import constraints, model_folder, statistics

NAMES = (STATISTICS, CONSTRAINTS) = gate_files.BASELINES


def write(model: Path, folder: Path) -> None:
    """Write `statistics.json` and `constraints.json` of a model folder, or of an archive, into `folder`.

    Raises:
        UserError: The model has no drift baseline, or is not a model.
        OSError: The disk is full or not writable.
    """
    with tempfile.TemporaryDirectory() as scratch:
        known = model_folder.read_baseline(model, Path(scratch))
    durable_files.write_json(folder / STATISTICS, statistics.to_json(known.profile, known.class_names))
    durable_files.write_json(folder / CONSTRAINTS, constraints.suggested(known.profile, known.class_names))
