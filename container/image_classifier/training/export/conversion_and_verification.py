"""Convert the exported model to OpenVINO and verify it by the serving code, side by side."""

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from image_classifier import artifacts
from image_classifier.artifacts import ModelInfo
from image_classifier.class_folders.storage import Storage
from image_classifier.inference.openvino_model import conversion
from image_classifier.training.data import validation_sample
from image_classifier.training.data.validation_sample import ValidationSample
from image_classifier.training.export import finished_model, int8_ir, model_info, verification
from image_classifier.training.export.child_process import ChildKilled, Interrupted
from image_classifier.training.export.finalisation_job import Job
from image_classifier.training.export.finished_model import BytesPredictions, FinishedModel
from image_classifier.training.export.openvino_ir import IrConversion
from image_classifier.training.export.verification import NothingToCompare
from image_classifier.training.progress import log
from image_classifier.training.stopping import StopSignal

BYTES_SIGNATURE_IMAGES = 32
"""Images for the check of the bytes signature, which decodes inside the graph, one image after the other."""


def run(job: Job, saved_model: Path, info: ModelInfo, stop: StopSignal) -> dict[str, Any]:
    """Convert and verify the model as far as there is time; return the entries for the report."""
    folder, trained = job.opt_ml.model_dir, job.trained
    sample = validation_sample.choose(trained.validation.examples, trained.expected, job.settings.values.random_seed)
    if not sample.paths:
        # With sharded channels the chief may have no validation image.
        model_info.record_unverified(folder, info, "this host has no validation image")
    elif not stop.out_of_time():
        try:
            return _convert_and_verify(job, saved_model, info, sample, stop)
        except Interrupted:
            shutil.rmtree(conversion.partial_folder(folder), ignore_errors=True)
    return {}


def _convert_and_verify(
    job: Job, saved_model: Path, info: ModelInfo, sample: ValidationSample, stop: StopSignal
) -> dict[str, Any]:
    """Convert and verify the model and update the model info; return the entries for the report."""
    folder, values = job.opt_ml.model_dir, job.settings.values
    storage = Storage()
    few = sample.rows(sample.evenly_spaced(conversion.IMAGES)).readable(storage)
    if not few.paths:
        model_info.record_unverified(folder, info, "none of the validation images for it could be read again")
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
        if job.trained.is_refitted:
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
