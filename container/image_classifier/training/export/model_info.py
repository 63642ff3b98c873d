"""The model info of a job's model, and what it says of the phases that finish the model."""

from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from image_classifier import artifacts
from image_classifier.artifacts import ModelInfo
from image_classifier.training.data import dataset
from image_classifier.training.export.finalisation_job import Job
from image_classifier.training.model import warm_start
from image_classifier.training.progress import log
from image_classifier.training.stopping import StopSignal

NOT_YET = "the job was stopped before it"
_PHASES = {"openvino": "the OpenVINO IR", "verification": "the verification"}
"""By their keys in the model info."""


def of_job(job: Job) -> ModelInfo:
    """Return the model info of a new model; the phases that finish it are marked as left out."""
    info, values = job.trained.backbone.info, job.settings.values
    return ModelInfo(
        image_size=info.image_size,
        pixel_scaling_method=info.pixel_scaling_method,
        finetuned=True,
        resize_method=info.resize_method,
        imaging_version=info.imaging_version,
        binary_mode=values.binary_mode,
        output="probabilities",
        model_id=info.model_id,
        source=info.source,
        licence=info.licence,
        hyperparameters={name: getattr(values, name) for name in job.settings.sources},
        extra={
            **warm_start.lineage(info),
            "head": "kept" if job.trained.backbone.head else "new",
            "mixed_precision": job.trained.precision,
            "hyperparameter_sources": dict(job.settings.sources),
            "versions": {name: version(name) for name in ("tensorflow-hub", "tf-keras", "numpy", "pillow")},
            "data": {
                "sha256": dataset.fingerprint(job.data.training),
                "classes": job.trained.training.counts(),
            },
            "metrics": dict(job.metrics),
            **({"features": dict(job.trained.features)} if job.trained.features else {}),
            **job.recipe_entry,
            **({"calibration": dict(job.calibration)} if job.calibration else {}),
            # Valid until these phases have finished, and permanently when the job is stopped before.
            "openvino": {"left_out": NOT_YET},
            "verification": {"left_out": NOT_YET},
            "verified": False,
        },
    )


def record_unverified(folder: Path, info: ModelInfo, reason: str) -> None:
    """Record and log that the model was neither converted nor verified, and why."""
    log(f"WARNING: No OpenVINO IR, and the model is not verified: {reason}.")
    entries = {key: {"left_out": reason} for key in _PHASES}
    artifacts.write_model_info(folder, replace(info, extra={**info.extra, **entries}))


def record_left_out(folder: Path, stop: StopSignal, others: tuple[str, ...]) -> None:
    """Record and log what a stop left out: phases of the model info, and `others`."""
    info = artifacts.read_model_info(folder)
    missing = [key for key in _PHASES if info.extra[key].get("left_out") == NOT_YET]
    entries = {key: {"left_out": f"{NOT_YET}: {stop.reason}"} for key in missing}
    artifacts.write_model_info(folder, replace(info, extra={**info.extra, **entries}))
    names = [*(_PHASES[key] for key in missing), *others]
    left_out = " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:]))) or "nothing"
    log(f"Stopped ({stop.reason}): the best model so far is saved; left out: {left_out}.")
