"""The training job, told from its first file to its last."""

import io
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from image_classifier import artifacts, tensorflow_start
from image_classifier.contract import hyperparameters, metrics
from image_classifier.contract.errors import UserError
from image_classifier.contract.hyperparameters import Hyperparameters, Settings
from image_classifier.contract.names import printable
from image_classifier.contract.opt_ml import OptMl
from image_classifier.training import failures, stopping
from image_classifier.training.data import preflight, splits
from image_classifier.training.data.channel_scan import Scan
from image_classifier.training.model import backbone, named_model, warm_start
from image_classifier.training.model.warm_start import HeadPlan
from image_classifier.training.progress import log
from image_classifier.training.stopping import StopSignal

if TYPE_CHECKING:
    from image_classifier.training.distributed.cluster import Cluster
    from image_classifier.training.fine_tuning import Trained


def run(opt_ml: OptMl, stop: StopSignal) -> None:
    """Train on the platform's tree and leave the checked model and the reports there.

    Raises:
        ExplainedError: Something is wrong, and the message says what and whose it is.
        JobStopped: SIGTERM came before there was anything to keep.
    """
    _reject_without_tensorflow()
    given = opt_ml.read_hyperparameters()
    settings = hyperparameters.parse(given)
    scans = preflight.check(opt_ml, settings.values)
    # Several hosts meet first, since a channel's files may be spread over them; one says what is wrong with its data
    # before TensorFlow's seconds are spent.
    several = len(opt_ml.read_resources().hosts) > 1
    cluster = None
    if several:
        with stop.interruptible("waiting for the other hosts"):
            cluster = _start(opt_ml, settings.values)
    try:
        _run(opt_ml, given, settings, scans, cluster, stop)
    except Exception as error:
        explained = _explained(error, cluster)
        if explained is None:
            raise
        raise explained from error


def _start(opt_ml: OptMl, values: Hyperparameters) -> "Cluster":
    tensorflow_start.start()
    from image_classifier.training.devices import accelerators, precision
    from image_classifier.training.distributed import cluster

    resources = opt_ml.read_resources()
    for line in accelerators.prepare(resources):
        log(line)
    precision.make_deterministic(values)
    return cluster.start(resources)


def _explained(error: Exception, cluster: "Cluster | None") -> Exception | None:
    if cluster is None:
        return None
    from image_classifier.training.distributed import lost_hosts

    return lost_hosts.explain(error, cluster.names)


def _run(
    opt_ml: OptMl,
    given: Mapping[str, Any],
    settings: Settings,
    scans: Mapping[str, Scan],
    cluster: "Cluster | None",
    stop: StopSignal,
) -> None:
    found = splits.read(opt_ml, settings.values, cluster, scans)
    with tempfile.TemporaryDirectory(prefix="job-") as scratch:
        values = settings.values
        folder = backbone.locate(opt_ml, values.model_id, Path(scratch), values.model_uri)
        info = artifacts.read_model_info(folder)
        named_model.reject_another(info, values.model_id)
        settings = hyperparameters.parse(given, warm_start.model_defaults(info, settings.values))
        stop.set_time_limit(settings.values.max_runtime)
        start = warm_start.plan(folder, info, settings.values, found.training.class_names)
        for line in [*settings.log_lines(), *splits.describe(found), start.line]:
            log(line)
        cluster = cluster or _start(opt_ml, settings.values)
        _train_and_export(cluster, opt_ml, settings, found, _Model(folder, start), stop)


@dataclass(frozen=True)
class _Model:
    """Where the model lies that the job starts from, and what it takes of it."""

    folder: Path
    start: HeadPlan


def _train_and_export(
    cluster: "Cluster", opt_ml: OptMl, settings: Settings, found: splits.DataSplits, model: _Model, stop: StopSignal
) -> None:
    from image_classifier.training import fine_tuning, preparation
    from image_classifier.training.devices import accelerators
    from image_classifier.training.export import finalisation
    from image_classifier.training.features import feature_chunks

    values, class_names = settings.values, found.training.class_names

    def load() -> backbone.Backbone:
        return _load_backbone(model, values, class_names)

    with cluster.strategy.scope():
        loaded = load()
    if loaded.warning:
        log(loaded.warning)
    if values.max_runtime and cluster.is_chief:
        finalisation.dry_run_export(opt_ml, loaded if cluster.replicas == 1 else load(), len(class_names), values, stop)
    trained = fine_tuning.train(found, loaded, values, stop, cluster, _checkpoints_dir(opt_ml))
    numbers = _print_metrics(trained, values)
    for line in accelerators.peak_memory_lines():
        log(line)
    if cluster.is_chief:
        if cluster.replicas > 1:
            # What is exported belongs to no strategy, as if one device had trained it.
            trained = fine_tuning.rebuilt(trained, load(), values)
        finalisation.export_and_verify(finalisation.Job(opt_ml, settings, found, trained, numbers), stop)
    else:
        log(f"{cluster.names[0]} writes the model; this host waits for it.")
    # Version 2 of the SDK stops all containers of a local job when the first of them ends.
    cluster.barrier(finalisation.LONGEST_SECONDS)
    if not stop.reason:
        # A job that was stopped may be started again, and continues; this one is finished.
        feature_chunks.remove(opt_ml.checkpoints_dir / preparation.FEATURES)


def _checkpoints_dir(opt_ml: OptMl) -> Path | None:
    folder = opt_ml.checkpoints_dir
    if folder.is_dir():
        return folder
    log(f"No checkpoints: {folder} does not exist, so this job cannot be continued when it is killed.")
    return None


def _load_backbone(model: _Model, values: Hyperparameters, class_names: Sequence[str]) -> backbone.Backbone:
    started, folder = time.monotonic(), model.folder
    loaded = backbone.load(folder, trainable=not values.train_only_top_layer, trust=values.trust_model)
    loaded = replace(loaded, head=warm_start.kept_head(loaded, model.start, values, class_names))
    # The method of this job's images is recorded in the artefact, and serving uses it.
    loaded = replace(loaded, info=replace(loaded.info, resize_method=values.image_resize_interpolation))
    height, width = loaded.info.image_size
    log(
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
        lines += metrics.test_lines(test.metrics, test.seconds, test.images)
        numbers |= {f"test_{name}": value for name, value in test.metrics.items()}
    for line in lines:
        log(line)
    if trained.skipped:
        log(f"Skipped {len(trained.skipped)} unreadable image(s); they are listed in skipped.csv.")
    return numbers


def _reject_without_tensorflow() -> None:
    if not tensorflow_start.is_installed():
        raise UserError(
            "This image only serves: TensorFlow, which trains, is not in it. Train with an image that scripts/build "
            "makes of the target cpu or gpu."
        )


def main(stop: StopSignal) -> int:
    """Run the job of this container; return the process's exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A locale without UTF-8 must not end a job by a name that it prints.
        sys.stdout.reconfigure(errors="backslashreplace")
    opt_ml = OptMl.from_environment()
    try:
        run(opt_ml, stop)
    except stopping.JobStopped as stopped:
        log(_stopped_without_model(opt_ml, stop, str(stopped)))
    except Exception as error:
        message = failures.message(error, opt_ml.base)
        opt_ml.write_failure(message)
        print(printable(message), file=sys.stderr, flush=True)
        return 1
    return 0


def _stopped_without_model(opt_ml: OptMl, stop: StopSignal, doing: str) -> str:
    where = f"; {doing}" if doing else ""
    newest = max((path.name for path in opt_ml.checkpoints_dir.glob("checkpoint-*")), default=None)
    if newest:
        kept = f"the same job resumes from {opt_ml.checkpoints_dir / newest}"
    elif any(opt_ml.checkpoints_dir.glob("*")):
        kept = f"the same job resumes with what {opt_ml.checkpoints_dir} holds, without a checkpoint so far"
    else:
        kept = f"there is no checkpoint in {opt_ml.checkpoints_dir} to resume from"
    more = " Raise max_runtime." if stop.reason.startswith(stopping.MAX_RUNTIME) else ""
    return f"Stopped ({stop.reason}{where}) before any epoch was measured: no model was saved, and {kept}.{more}"
