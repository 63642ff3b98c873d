"""The dry run of the export: how long it takes, and whether the model fits on the disk, before a job trains."""

import shutil
import tempfile
import time
from pathlib import Path

from image_classifier.contract.errors import PlatformError
from image_classifier.contract.hyperparameters import Hyperparameters
from image_classifier.contract.opt_ml import OptMl
from image_classifier.training.export import saved_model_export
from image_classifier.training.model import classifier
from image_classifier.training.model.backbone import Backbone
from image_classifier.training.progress import log
from image_classifier.training.stopping import StopSignal


def export(opt_ml: OptMl, backbone: Backbone, classes: int, values: Hyperparameters, stop: StopSignal) -> None:
    """Export the untrained model into a scratch folder, to measure how long the export takes.

    Raises:
        PlatformError: The model does not fit on the disk of the model folder.
    """
    started = time.monotonic()
    opt_ml.model_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="dry-run-") as scratch:
        head = classifier.build_head(values, backbone.feature_count, classes)
        written = saved_model_export.save(Path(scratch), backbone, head, values)
        seconds = time.monotonic() - started
        size = sum(path.stat().st_size for path in written.rglob("*") if path.is_file())
    free = shutil.disk_usage(opt_ml.model_dir).free
    if size > free:
        raise PlatformError(
            f"The model does not fit into {opt_ml.model_dir}: it needs {size:,} bytes, and {free:,} are free. "
            "Use a larger volume."
        )
    stop.reserve_export_time(seconds)
    log(f"Dry run of the export: {seconds:.1f} s, {size / 1e6:.1f} MB")
