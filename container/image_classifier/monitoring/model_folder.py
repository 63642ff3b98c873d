"""The model that a monitoring job is given: a folder, a model.tar.gz, or a folder with one."""

from pathlib import Path

from image_classifier import archives, model_layout
from image_classifier.evaluation.drift import baseline
from image_classifier.evaluation.drift.baseline import Baseline


def read_baseline(model: Path, scratch: Path) -> Baseline:
    """Read the drift baseline of a model; an archive is unpacked below `scratch`.

    Raises:
        UserError: The model is missing, its archive is rejected, or it has no baseline.
        PlatformError: The disk is full or not writable.
    """
    found = sorted(path for path in model.iterdir() if archives.is_archive(path)) if model.is_dir() else []
    # A Processing job downloads the artefact s3://…/model.tar.gz into the folder of its input.
    given = found[0] if len(found) == 1 else model
    return baseline.read(model_layout.root(archives.materialise(given, scratch / "model")))
