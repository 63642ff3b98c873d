"""Finalisation in priority order: the SavedModel first, then optional artefacts while time remains."""

import time
from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

from image_classifier import artifact_checksums, artifacts
from image_classifier.training.export import (
    calibrated_head,
    child_process,
    conversion_and_verification,
    int8_ir,
    job_report,
    model_info,
    report,
    saved_model_export,
    tensorboard_events,
)
from image_classifier.training.export.finalisation_job import Job
from image_classifier.training.export.job_report import Prepared
from image_classifier.training.model import model_folder
from image_classifier.training.stopping import StopSignal

LONGEST_SECONDS = 4 * child_process.LONGEST_SECONDS
"""Timeout of all child processes: the IR, which is tried twice, the verification, and the int8 IR."""


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
            info = replace(model_info.of_job(job), sha256=artifact_checksums.folder_sha256(saved_model))
            artifacts.write_model_info(folder, info)
        timings["export"] = time.monotonic() - started
        with job_report.preparation(job.trained, stop, job.traits) if values.report else nullcontext() as prepared:
            metrics = {**job.metrics, **conversion_and_verification.run(job, saved_model, info, stop)}
            timings["OpenVINO network and verification"] = time.monotonic() - started - timings["export"]
            _write_tables(job, metrics)
            left_out = _quantise(job, timings, stop)
            left_out += _report(job, metrics, prepared, timings, stop) if prepared else ()
    if stop.reason:
        model_info.record_left_out(folder, stop, left_out)


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
        report.write_metrics(folder, {**metrics, **job.recipe_entry, "verdict": written.verdict})
    return ("the report",) if written.left_out else ()


def _write_tables(job: Job, metrics: dict[str, Any]) -> None:
    folder = job.opt_ml.output_data_dir
    report.write_metrics(folder, {**metrics, **job.recipe_entry})
    report.write_history(folder, job.trained.history.epochs)
    report.write_predictions(folder, job.trained.validation, job.trained.probabilities)
    if job.trained.cross_validated:
        report.write_cross_validated(folder, job.trained.cross_validated)
    for table in job.trained.tables:
        report.write_table(folder, table)
    report.write_skipped(folder, job.trained.skipped)
    if job.settings.values.tensorboard:
        tensorboard_events.write(job.opt_ml.tensorboard_dir, job.trained.history.epochs)
