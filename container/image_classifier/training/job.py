"""The training job, told from its first file to its last."""

import errno
import shutil
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from image_classifier import artifacts, tensorflow_start
from image_classifier.artifacts import ModelInfo
from image_classifier.contract import hyperparameters, metrics
from image_classifier.contract.errors import JobError, PlatformError, UserError
from image_classifier.contract.hyperparameters import Hyperparameters, Settings
from image_classifier.contract.opt_ml import OptMl
from image_classifier.training import backbone, data, dataset, incremental, report, stopping
from image_classifier.training.incremental import Start
from image_classifier.training.progress import say

if TYPE_CHECKING:
    from image_classifier.training.fine_tuning import Trained
    from image_classifier.training.verification import Verification


def run(opt_ml: OptMl, stop: threading.Event) -> None:
    """Train on the platform's tree and leave the checked model and the reports there.

    Raises:
        JobError: Something is wrong, and the message says what and whose it is.
        JobStopped: SIGTERM came before there was anything to keep.
    """
    _refuse_without_tensorflow()
    given = opt_ml.read_hyperparameters()
    settings = hyperparameters.parse(given)
    _refuse_several_hosts(opt_ml)
    found = data.read(opt_ml, settings.values)
    with tempfile.TemporaryDirectory(prefix="job-") as scratch:
        values = settings.values
        folder = backbone.locate(opt_ml, values.model_id, Path(scratch), values.model_uri)
        info = artifacts.read_model_info(folder)
        settings = hyperparameters.parse(given, incremental.model_defaults(info, settings.values))
        start = incremental.plan(folder, info, settings.values, found.training.class_names)
        for line in [*settings.log_lines(), *data.describe(found), start.line]:
            say(line)
        _train_and_leave(opt_ml, settings, found, _Model(folder, start), stop)


@dataclass(frozen=True)
class _Model:
    """Where the model lies that the job starts from, and what it takes of it."""

    folder: Path
    start: Start


def _train_and_leave(opt_ml: OptMl, settings: Settings, found: data.Data, model: _Model, stop: threading.Event) -> None:
    # Here, so that wrong data or settings are said before TensorFlow's seconds are spent.
    tensorflow_start.start()
    from image_classifier.training import accelerators, export, fine_tuning

    for line in accelerators.prepare(opt_ml.read_resources()):
        say(line)
    values = settings.values
    loaded = _load_backbone(model, values, found.training.class_names)
    trained = fine_tuning.train(found, loaded, values, stop)
    numbers = _print_metrics(trained, values)
    for line in accelerators.peak_memory_lines():
        say(line)
    saved_model = export.save(opt_ml.model_dir, trained.backbone, trained.head, values)
    artifacts.write_labels(opt_ml.model_dir, found.training.class_names)
    info = replace(_model_info(trained, settings, found, numbers), sha256=artifacts.folder_sha256(saved_model))
    artifacts.write_model_info(opt_ml.model_dir, info)
    left_out = "verification and reports"
    if stop.is_set():
        left_out = f"the OpenVINO IR, {left_out}"
    else:
        info = _add_ir(opt_ml, info, trained, values)
    if stop.is_set():
        say(f"Stopped by SIGTERM: the best model so far is saved, {left_out} were left out.")
        return
    checked = _verify(opt_ml, trained, values)
    artifacts.write_model_info(opt_ml.model_dir, replace(info, extra={**info.extra, "verified": True, **checked}))
    _report(opt_ml, trained, {**numbers, **checked})


def _load_backbone(model: _Model, values: Hyperparameters, class_names: Sequence[str]) -> backbone.Backbone:
    started, folder = time.monotonic(), model.folder
    loaded = backbone.load(folder, trainable=not values.train_only_top_layer, trust=values.trust_model)
    loaded = replace(loaded, head=incremental.kept_head(loaded, model.start, values, class_names))
    # The method of this job's pictures is recorded in the artefact, and serving uses it.
    loaded = replace(loaded, info=replace(loaded.info, resize_method=values.image_resize_interpolation))
    height, width = loaded.info.image_size
    say(
        f"Backbone: {loaded.info.model_id or loaded.info.source or folder.name}, {height}x{width} pixels, "
        f"{loaded.feature_count} features, loaded in {time.monotonic() - started:.1f} s"
    )
    return loaded


def _print_metrics(trained: "Trained", values: Hyperparameters) -> dict[str, Any]:
    history = trained.history
    epochs = len(history.epochs)
    lines = [
        *metrics.final_lines(history.best),
        *metrics.parameter_lines(trained.parameters, trained.trainable_parameters),
        *metrics.duration_lines(trained.seconds, epochs),
    ]
    numbers: dict[str, Any] = dict(history.best)
    numbers |= {"epochs": epochs, "best_epoch": (history.best_epoch or 0) + 1, "skipped": len(trained.skipped)}
    if trained.test:
        test = trained.test
        lines += metrics.test_lines(test.metrics, test.seconds, test.pictures)
        numbers |= {f"test_{name}": value for name, value in test.metrics.items()}
    for line in lines:
        say(line)
    if trained.skipped:
        say(f"Skipped {len(trained.skipped)} unreadable picture(s); they are listed in skipped.csv.")
    return numbers


def _model_info(trained: "Trained", settings: Settings, found: data.Data, numbers: dict[str, Any]) -> ModelInfo:
    info = trained.backbone.info
    values = {name: getattr(settings.values, name) for name in settings.sources}
    return ModelInfo(
        image_size=info.image_size,
        pixel_scaling_method=info.pixel_scaling_method,
        finetuned=True,
        resize_method=info.resize_method,
        binary_mode=settings.values.binary_mode,
        output="probabilities",
        model_id=info.model_id,
        source=info.source,
        licence=info.licence,
        hyperparameters=values,
        extra={
            **incremental.lineage(info),
            "head": "kept" if trained.backbone.head else "new",
            "hyperparameter_sources": dict(settings.sources),
            "versions": {name: version(name) for name in ("tensorflow-hub", "tf-keras", "numpy", "pillow")},
            "data": {"sha256": dataset.fingerprint(found.training), "classes": trained.training.counts()},
            "metrics": numbers,
            # What holds until these phases have ended, and for good when the job is stopped before.
            "openvino": {"left_out": "the job was stopped before it was made"},
            "verified": False,
        },
    )


def _add_ir(opt_ml: OptMl, info: ModelInfo, trained: "Trained", values: Hyperparameters) -> ModelInfo:
    from image_classifier.training import intermediate_representation

    info = intermediate_representation.add(opt_ml.model_dir, info, trained.validation.examples, values.random_seed)
    artifacts.write_model_info(opt_ml.model_dir, info)
    return info


def _verify(opt_ml: OptMl, trained: "Trained", values: Hyperparameters) -> dict[str, Any]:
    from image_classifier.training import verification

    result: Verification = verification.verify(
        opt_ml.model_dir,
        trained.validation.examples,
        trained.probabilities,
        values.random_seed,
        values.trust_model,
    )
    return {"verification": verification.record(result)}


def _report(opt_ml: OptMl, trained: "Trained", numbers: dict[str, Any]) -> None:
    folder = opt_ml.output_data_dir
    report.write_metrics(folder, numbers)
    report.write_history(folder, trained.history.epochs)
    report.write_predictions(folder, trained.validation, trained.probabilities)
    report.write_skipped(folder, trained.skipped)


def _refuse_several_hosts(opt_ml: OptMl) -> None:
    hosts = opt_ml.read_resources().hosts
    if len(hosts) > 1:
        raise UserError(
            f"This job was started on {len(hosts)} hosts ({', '.join(hosts)}), and this version trains on one. "
            "Set instance_count to 1."
        )


def _refuse_without_tensorflow() -> None:
    if not tensorflow_start.is_installed():
        raise UserError(
            "This image only serves: TensorFlow, which trains, is not in it. Train with an image that scripts/build "
            "makes of the target cpu or gpu."
        )


def main() -> int:
    """Run the job of this container; return the process's exit code."""
    opt_ml = OptMl.from_environment()
    stop = stopping.listen()
    try:
        run(opt_ml, stop)
    except stopping.JobStopped:
        say("Stopped by SIGTERM before any epoch was measured: no model was written.")
    except JobError as error:
        return _fail(opt_ml, f"{type(error).__name__}: {error}")
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            return _fail_unexpectedly(opt_ml, error)
        free = shutil.disk_usage(opt_ml.base).free
        problem = PlatformError(f"The disk is full at {error.filename}: {free:,} bytes are free. Use a larger volume.")
        return _fail(opt_ml, f"{type(problem).__name__}: {problem}")
    except Exception as error:
        return _fail_unexpectedly(opt_ml, error)
    return 0


def _fail(opt_ml: OptMl, message: str) -> int:
    print(message, file=sys.stderr, flush=True)
    opt_ml.write_failure(message)
    return 1


def _fail_unexpectedly(opt_ml: OptMl, error: Exception) -> int:
    # The platform keeps the first 1,024 characters, so the message comes before the trace.
    headline = f"AlgorithmError: unexpected {type(error).__name__}: {error}"
    return _fail(opt_ml, f"{headline}\n\n{''.join(traceback.format_exception(error))}")
