"""The result of a job on SageMaker in its folder here: report, metrics and model, as a local job leaves them."""

import shutil
import tempfile
from pathlib import Path

from image_classifier import archives
from image_classifier.cloud.s3 import S3Storage
from image_classifier.contract.opt_ml import OptMl
from image_classifier.runners import job_content, job_result, job_state
from image_classifier.runners.sagemaker_job.record import Record

_FAILED = "Failed"


def fetch(folder: Path, storage: S3Storage, found: Record) -> None:
    """Download and unpack what the job left, and record its final state; a job without a model leaves nothing.

    Raises:
        ExplainedError: S3 rejects a request or cannot be reached, or the archives are incomplete.
    """
    tree = OptMl(folder)
    model, reports = (found.results.below(name) for name in ("model.tar.gz", "output.tar.gz"))
    if found.platform.status == _FAILED:
        tree.write_failure(found.platform.failure)
        return
    if not storage.exists(model):
        return
    with tempfile.TemporaryDirectory(dir=folder, prefix=".download-") as scratch:
        parts = {tree.model_dir: model}
        if storage.exists(reports):
            parts[tree.output_data_dir] = reports
        unpacked = {}
        for number, (target, location) in enumerate(parts.items()):
            archive = Path(scratch) / f"{number}.tar.gz"
            storage.download(location, archive)
            unpacked[target] = Path(scratch) / str(number)
            archives.unpack(archive, unpacked[target])
            archive.unlink()
        job_content.clear(folder, ("model", "output"))
        for target, content in unpacked.items():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(content, target)
    _conclude(tree)


def _conclude(tree: OptMl) -> None:
    """Record the final state of a job that left reports; one that was stopped before its first epoch left none."""
    if not (tree.output_data_dir / "metrics.json").is_file():
        return
    result = job_result.read(tree)
    job_state.record(tree.base, job_state.STOPPED if result.was_stopped else job_state.FINISHED, result.accuracy)
