"""Finalisation in priority order: the SavedModel first, then optional artefacts while time remains."""

import shutil
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from image_classifier import artifact_checksums, artifacts
from image_classifier.artifacts import ModelInfo
from image_classifier.class_folders.storage import Storage
from image_classifier.contract.errors import PlatformError
from image_classifier.contract.hyperparameters import Hyperparameters, ResolvedHyperparameters
from image_classifier.contract.opt_ml import OptMl
from image_classifier.inference.openvino_model import conversion
from image_classifier.training.data import dataset, splits, validation_sample
from image_classifier.training.data.validation_sample import ValidationSample
from image_classifier.training.export import (
    calibrated_head,
    child_process,
    finished_model,
    int8_ir,
    job_report,
    report,
    saved_model_export,
    tensorboard_events,
    verification,
)
from image_classifier.training.export.child_process import ChildKilled, Interrupted
from image_classifier.training.export.early_traits import TraitReader
from image_classifier.training.export.finished_model import BytesPredictions, FinishedModel
from image_classifier.training.export.job_report import Prepared
from image_classifier.training.export.openvino_ir import IrConversion
from image_classifier.training.export.quantiser import Quantiser
from image_classifier.training.export.verification import NothingToCompare
from image_classifier.training.model import classifier, model_folder, warm_start
from image_classifier.training.model.backbone import Backbone
from image_classifier.training.progress import log
from image_classifier.training.stopping import StopSignal

if TYPE_CHECKING:
    from image_classifier.training.fine_tuning import Trained

BYTES_SIGNATURE_IMAGES = 32
"""Images for the check of the bytes signature, which decodes inside the graph, one image after the other."""
LONGEST_SECONDS = 4 * child_process.LONGEST_SECONDS
"""Timeout of all child processes: the IR, which is tried twice, the verification, and the int8 IR."""
_NOT_YET = "the job was stopped before it"
_PHASES = {"openvino": "the OpenVINO IR", "verification": "the verification"}
"""By their keys in the model info."""


def dry_run_export(opt_ml: OptMl, backbone: Backbone, classes: int, values: Hyperparameters, stop: StopSignal) -> None:
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


@dataclass(frozen=True)
class Job:
    """Inputs of the finalisation."""

    opt_ml: OptMl
    settings: ResolvedHyperparameters
    data: splits.DataSplits
    trained: "Trained"
    metrics: Mapping[str, Any]
    """Contents of `metrics.json`."""
    calibration: Mapping[str, Any] = field(default_factory=dict)
    """Record of the calibration for the model info; empty without it."""
    traits: TraitReader | None = None
    """Reads what the report needs of the images; None: the report reads it."""
    quantiser: Quantiser | None = None
    """Of `export_and_verify`, which starts it; None without quantization=auto."""


def export_and_verify(job: Job, stop: StopSignal) -> None:
    """Write the model, its OpenVINO IR, the result of its verification, the tables, and the report.

    When the job runs out of time, only the model and the tables are written, and the model info says what is missing.

    Raises:
        AlgorithmError: The exported model does not predict what the trained model predicted.
        PlatformError: The disk is full.
    """
    folder, values = job.opt_ml.model_dir, job.settings.values
    calibrated = calibrated_head.calibrate(job.trained, values.calibration)
    job = replace(job, trained=calibrated.trained, calibration=calibrated.record)
    timings = {"training": job.trained.seconds}
    started = time.monotonic()
    with int8_ir.beginning(folder, job.trained, values.quantization, stop) as quantiser:
        job = replace(job, quantiser=quantiser)
        with model_folder.unfinished(folder):
            saved_model = saved_model_export.save(folder, job.trained.backbone, job.trained.head, values)
            stop.reserve_export_time(0)
            artifacts.write_labels(folder, job.data.training.class_names)
            info = replace(_model_info(job), sha256=artifact_checksums.folder_sha256(saved_model))
            artifacts.write_model_info(folder, info)
        timings["export"] = time.monotonic() - started
        with job_report.preparation(job.trained, stop, job.traits) if values.report else nullcontext() as prepared:
            metrics = {**job.metrics, **_finish_model(job, saved_model, info, stop)}
            timings["OpenVINO network and verification"] = time.monotonic() - started - timings["export"]
            _write_tables(job, metrics)
            left_out = _quantise(job, timings, stop)
            left_out += _report(job, metrics, prepared, timings, stop) if prepared else ()
    if stop.reason:
        _record_left_out(folder, stop, left_out)


def _finish_model(job: Job, saved_model: Path, info: ModelInfo, stop: StopSignal) -> dict[str, Any]:
    """Convert and verify the model as far as there is time; return the entries for the report."""
    folder, trained = job.opt_ml.model_dir, job.trained
    sample = validation_sample.choose(trained.validation.examples, trained.expected, job.settings.values.random_seed)
    if not sample.paths:
        # With sharded channels the chief may have no validation image.
        _record_unverified(folder, info, "this host has no validation image")
    elif not stop.out_of_time():
        try:
            return _convert_and_verify(job, saved_model, info, sample, stop)
        except Interrupted:
            shutil.rmtree(conversion.partial_folder(folder), ignore_errors=True)
    return {}


def _quantise(job: Job, timings: dict[str, float], stop: StopSignal) -> tuple[str, ...]:
    """Add the int8 IR if it was asked for; return what a stop left out."""
    if not job.quantiser:
        return ()
    started = time.monotonic()
    in_time = int8_ir.add(job.opt_ml.model_dir, job.quantiser, stop)
    timings["int8 network"] = time.monotonic() - started
    return () if in_time else ("the int8 IR",)


def _report(
    job: Job, metrics: dict[str, Any], prepared: Future[Prepared], timings: Mapping[str, float], stop: StopSignal
) -> tuple[str, ...]:
    """Write the report, and its verdict into `metrics.json`; return what a stop left out."""
    folder, thumbnails = job.opt_ml.output_data_dir, job.settings.values.report_thumbnails
    written = job_report.write(folder, job.opt_ml.model_dir, prepared, timings, thumbnails, stop)
    if written.verdict:
        report.write_metrics(folder, {**metrics, **_recipe(job), "verdict": written.verdict})
    return ("the report",) if written.left_out else ()


def _record_unverified(folder: Path, info: ModelInfo, reason: str) -> None:
    log(f"WARNING: No OpenVINO IR, and the model is not verified: {reason}.")
    entries = {key: {"left_out": reason} for key in _PHASES}
    artifacts.write_model_info(folder, replace(info, extra={**info.extra, **entries}))


def _record_left_out(folder: Path, stop: StopSignal, others: tuple[str, ...]) -> None:
    info = artifacts.read_model_info(folder)
    missing = [key for key in _PHASES if info.extra[key].get("left_out") == _NOT_YET]
    entries = {key: {"left_out": f"{_NOT_YET}: {stop.reason}"} for key in missing}
    artifacts.write_model_info(folder, replace(info, extra={**info.extra, **entries}))
    names = [*(_PHASES[key] for key in missing), *others]
    left_out = " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:]))) or "nothing"
    log(f"Stopped ({stop.reason}): the best model so far is saved; left out: {left_out}.")


def _model_info(job: Job) -> ModelInfo:
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
            **_recipe(job),
            **({"calibration": dict(job.calibration)} if job.calibration else {}),
            # Valid until these phases have finished, and permanently when the job is stopped before.
            "openvino": {"left_out": _NOT_YET},
            "verification": {"left_out": _NOT_YET},
            "verified": False,
        },
    )


def _recipe(job: Job) -> dict[str, Any]:
    return {"recipe": dict(job.trained.recipe)} if job.trained.recipe else {}


def _convert_and_verify(
    job: Job, saved_model: Path, info: ModelInfo, sample: ValidationSample, stop: StopSignal
) -> dict[str, Any]:
    """Convert and verify the model and update the model info; return the entries for the report."""
    folder, values = job.opt_ml.model_dir, job.settings.values
    storage = Storage()
    few = sample.rows(sample.evenly_spaced(conversion.IMAGES)).readable(storage)
    if not few.paths:
        _record_unverified(folder, info, "none of the validation images for it could be read again")
        return {}
    with tempfile.TemporaryDirectory(prefix="finishing-") as name:
        scratch = Path(name)
        network = finished_model.with_pixels_alone(saved_model, scratch / "network")
        with IrConversion(folder, network, few.paths, scratch / "conversion") as ir_conversion:
            # Meanwhile, on the other CPUs:
            model = finished_model.load(saved_model, info)
            bytes_predictions = _predict_bytes(model, sample, storage, stop)
            expected = _in_float32(few, model, job, stop)
            info = ir_conversion.add(info, expected, stop, lambda: model.write_graph(scratch / "graph.pb"))
        artifacts.write_model_info(folder, info)
        if job.quantiser:
            int8_ir.begin(folder, info, job.quantiser, stop)
        if job.trained.expected is not job.trained.probabilities:
            log(
                "The refitted head was fitted on these images too: the verification compares predictions, and its "
                "accuracy is not a validation score."
            )
        try:
            result = verification.verify(
                folder, sample, bytes_predictions, scratch / "verification", stop, values.trust_model
            )
        except (ChildKilled, NothingToCompare) as reason:
            log(f"WARNING: The model is not verified: {reason}.")
            entries: dict[str, Any] = {"verification": {"left_out": str(reason)}}
        else:
            entries = {"verified": True, "verification": verification.record(result)}
    artifacts.write_model_info(folder, replace(info, extra={**info.extra, **entries}))
    return {"verification": entries["verification"]}


def _predict_bytes(
    model: FinishedModel, sample: ValidationSample, storage: Storage, stop: StopSignal
) -> BytesPredictions:
    rows = np.array(
        [row for row in sample.evenly_spaced(BYTES_SIGNATURE_IMAGES) if storage.read_if_there(sample.paths[row])],
        np.int64,
    )
    predictions = model.predict_bytes(sample.rows(rows).paths, stop)
    return replace(predictions, rows=rows[predictions.rows])


def _in_float32(few: ValidationSample, model: FinishedModel, job: Job, stop: StopSignal) -> ValidationSample:
    """Return the sample with the predictions expected of the IR: in float32, whatever training computed in."""
    # Calibrated ones are computed from probabilities, and a logit cannot be recovered from a sigmoid close to 1.
    exact = not job.calibration and job.trained.precision == "off"
    if exact and not tf.config.list_physical_devices("GPU"):
        return few
    return replace(few, expected=model.predict_images(few.paths, stop))


def _write_tables(job: Job, metrics: dict[str, Any]) -> None:
    folder = job.opt_ml.output_data_dir
    report.write_metrics(folder, {**metrics, **_recipe(job)})
    report.write_history(folder, job.trained.history.epochs)
    report.write_predictions(folder, job.trained.validation, job.trained.probabilities)
    if job.trained.cross_validated:
        report.write_cross_validated(folder, job.trained.cross_validated)
    for table in job.trained.tables:
        report.write_table(folder, table)
    report.write_skipped(folder, job.trained.skipped)
    if job.settings.values.tensorboard:
        tensorboard_events.write(job.opt_ml.tensorboard_dir, job.trained.history.epochs)
