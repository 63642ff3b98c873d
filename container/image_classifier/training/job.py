"""The training job from its first file to its last: check, list, load, train, export.

TensorFlow takes seconds to import: what needs it is imported after the checks.
"""

import io
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from image_classifier import artifacts, tensorflow_start
from image_classifier.class_folders.channel_scan import Scan
from image_classifier.contract import contradictions, hyperparameters, imaging_versions, metrics
from image_classifier.contract.errors import UserError
from image_classifier.contract.hyperparameters import Hyperparameters, ResolvedHyperparameters
from image_classifier.contract.names import printable
from image_classifier.contract.opt_ml import OptMl
from image_classifier.training import failures, stopping
from image_classifier.training.data import preflight, splits
from image_classifier.training.export import early_traits
from image_classifier.training.export.early_traits import TraitReader
from image_classifier.training.model import backbone, named_model, warm_start
from image_classifier.training.model.warm_start import HeadPlan
from image_classifier.training.progress import log, log_metrics
from image_classifier.training.recipes import search_space
from image_classifier.training.stopping import StopSignal

if TYPE_CHECKING:
    from image_classifier.training.distributed.cluster import Cluster
    from image_classifier.training.recipes.model_choice import ModelChoice
    from image_classifier.training.trained import Trained

_TRAINABLE = {contradictions.BUILTIN: True, contradictions.AUTO: None, contradictions.SEARCH: False}
"""Whether a recipe trains the backbone; None: if that can be trained."""


def run(opt_ml: OptMl, stop: StopSignal) -> None:
    """Train on the folder tree of the platform, and write the verified model and the reports there.

    Raises:
        ExplainedError: The job failed for a reason that the message explains.
        JobStopped: The job was stopped before there was anything to save.
    """
    _reject_without_tensorflow()
    given = opt_ml.read_hyperparameters()
    settings = hyperparameters.parse(given)
    if settings.values.recipe == contradictions.SEARCH:
        search_space.searched(settings.values, settings.sources)
    scans = preflight.check(opt_ml, settings.values)
    opt_ml.make_checkpoints_dir()
    # Several hosts start TensorFlow first, since a channel's files may be sharded over them. A single host checks its
    # data before it spends seconds on TensorFlow.
    cluster = None
    if len(opt_ml.read_resources().hosts) > 1:
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
    settings: ResolvedHyperparameters,
    scans: Mapping[str, Scan],
    cluster: "Cluster | None",
    stop: StopSignal,
) -> None:
    data = splits.read(opt_ml, settings.values, cluster, scans)
    with ExitStack() as until_the_end:
        scratch = until_the_end.enter_context(tempfile.TemporaryDirectory(prefix="job-"))
        reader = None
        if settings.values.report and (cluster is None or cluster.is_chief):
            reader = until_the_end.enter_context(early_traits.reading(data, Path(scratch) / "traits"))
        values, choice = settings.values, None
        if values.model_id == contradictions.MODEL_ID_AUTO:
            cluster = cluster or _start(opt_ml, values)
            choice = _choose_model(opt_ml, given, values, data, cluster, stop, Path(scratch))
        model_id = choice.name if choice else values.model_id
        folder = backbone.locate(opt_ml, model_id, Path(scratch), values.model_uri)
        info = artifacts.read_model_info(folder)
        if not choice:
            named_model.reject_another(info, model_id)
        settings = hyperparameters.parse(given, warm_start.model_defaults(info, settings.values))
        stop.set_time_limit(settings.values.max_runtime)
        head_plan = warm_start.plan(folder, info, settings.values, data.training.class_names)
        for line in [*settings.log_lines(), *splits.describe(data), head_plan.line]:
            log(line)
        cluster = cluster or _start(opt_ml, settings.values)
        _train_and_export(cluster, opt_ml, settings, data, _Model(folder, head_plan, choice), stop, reader)


@dataclass(frozen=True)
class _Model:
    """The model that the job starts from."""

    folder: Path
    head_plan: HeadPlan
    choice: "ModelChoice | None"
    """With model_id=auto."""


def _choose_model(
    opt_ml: OptMl,
    given: Mapping[str, Any],
    values: Hyperparameters,
    data: splits.DataSplits,
    cluster: "Cluster",
    stop: StopSignal,
    scratch: Path,
) -> "ModelChoice":
    from image_classifier.training.recipes import model_choice

    return model_choice.choose(model_choice.Job(opt_ml, given, values, data, cluster, stop), scratch)


def _train_and_export(
    cluster: "Cluster",
    opt_ml: OptMl,
    settings: ResolvedHyperparameters,
    data: splits.DataSplits,
    model: _Model,
    stop: StopSignal,
    reader: TraitReader | None,
) -> None:
    from image_classifier.training import fine_tuning, preparation
    from image_classifier.training.devices import accelerators
    from image_classifier.training.export import dry_run, finalisation
    from image_classifier.training.export.finalisation_job import Job
    from image_classifier.training.features import feature_chunks

    values, class_names = settings.values, data.training.class_names

    def load() -> backbone.Backbone:
        return _load_backbone(model, values, class_names)

    with cluster.strategy.scope():
        loaded = load()
    if loaded.warning:
        log(loaded.warning)
    if values.max_runtime and cluster.is_chief:
        dry_run.export(opt_ml, loaded if cluster.replicas == 1 else load(), len(class_names), values, stop)
    trained = _training_of(settings, opt_ml)(data, loaded, values, stop, cluster, _checkpoints_dir(opt_ml))
    if reader and stop.out_of_time():
        reader.end()
    if model.choice:
        trained = replace(trained, recipe={**(trained.recipe or {}), "model_choice": model.choice.to_json()})
    if not values.report:
        # Hundreds of megabytes, which only the report still needs.
        trained = replace(trained, arrays=None)
    settings = settings.with_chosen(trained.values)
    results = _log_metrics(trained)
    for line in accelerators.peak_memory_lines():
        log(line)
    if cluster.is_chief:
        if cluster.replicas > 1:
            # Export from variables that belong to no strategy, as if a single device had trained them.
            trained = fine_tuning.rebuilt(trained, load())
        finalisation.export_and_verify(Job(opt_ml, settings, data, trained, results, traits=reader), stop)
    else:
        log(f"Waiting for {cluster.names[0]}, which writes the model.")
    # Version 2 of the SDK stops all containers of a local job when the first of them exits.
    cluster.barrier(finalisation.LONGEST_SECONDS)
    if not stop.reason:
        # Only a job that was stopped can resume with them.
        for folder in opt_ml.checkpoints_dir.glob(f"{preparation.FEATURES}*"):
            feature_chunks.remove(folder)


def _training_of(settings: ResolvedHyperparameters, opt_ml: OptMl) -> Callable[..., "Trained"]:
    if settings.values.recipe == contradictions.AUTO:
        from image_classifier.training.recipes import recipe

        return recipe.train
    if settings.values.recipe == contradictions.SEARCH:
        from image_classifier.training.recipes import searched

        return partial(searched.train, sources=settings.sources)
    from image_classifier.training import fine_tuning

    # At its start each training job of a tuning job may get what all others left in S3: checkpoints, but no features.
    return partial(fine_tuning.train, keeps_features=not opt_ml.trial)


def _checkpoints_dir(opt_ml: OptMl) -> Path | None:
    folder = opt_ml.checkpoints_dir
    if folder.is_dir():
        return folder
    log(f"No checkpoints: {folder} does not exist, so this job cannot resume if it is killed.")
    return None


def _load_backbone(model: _Model, values: Hyperparameters, class_names: Sequence[str]) -> backbone.Backbone:
    started, folder = time.monotonic(), model.folder
    trainable = not values.train_only_top_layer and _TRAINABLE[values.recipe]
    loaded = backbone.load(folder, trainable, values.trust_model)
    loaded = replace(loaded, head=warm_start.kept_head(loaded, model.head_plan, values, class_names))
    # The artefact records this job's resize method and pixels, which serving uses.
    info = replace(
        loaded.info, resize_method=values.image_resize_interpolation, imaging_version=imaging_versions.VERSION
    )
    loaded = replace(loaded, info=info)
    height, width = loaded.info.image_size
    log(
        f"Backbone: {loaded.info.model_id or loaded.info.source or folder.name}, {height}x{width} pixels, "
        f"{loaded.feature_count} features, loaded in {time.monotonic() - started:.1f} s"
    )
    return loaded


def _log_metrics(trained: "Trained") -> dict[str, Any]:
    history = trained.history
    epochs = len(history.epochs)
    lines = [
        *metrics.final_lines(history.best),
        *metrics.parameter_lines(trained.parameters, trained.trainable_parameters),
        *metrics.duration_lines(trained.seconds, epochs),
    ]
    report: dict[str, Any] = dict(history.best)
    report |= {"epochs": epochs, "best_epoch": (history.best_epoch or 0) + 1, "skipped": len(trained.skipped)}
    if trained.test:
        test = trained.test
        lines += metrics.test_lines(test.metrics, test.seconds, test.images)
        report |= {f"test_{name}": value for name, value in test.metrics.items()}
    for line in lines:
        log_metrics(line)
    if trained.skipped:
        log(f"Skipped {len(trained.skipped)} unreadable image(s); they are listed in skipped.csv.")
    return report


def _reject_without_tensorflow() -> None:
    if not tensorflow_start.is_installed():
        raise UserError(
            "This image can only serve: it lacks TensorFlow, which training needs. Train with the target cpu or "
            "gpu of scripts/build."
        )


def main(stop: StopSignal) -> int:
    """Run the job of this container; return the exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # In a locale without UTF-8 a file name in the log must not crash the job.
        sys.stdout.reconfigure(errors="backslashreplace")
    opt_ml = OptMl.of_training_job()
    try:
        run(opt_ml, stop)
    except stopping.JobStopped as stopped:
        log(stopping.without_model(stop, str(stopped), opt_ml.checkpoints_dir))
    except Exception as error:
        message = failures.message(error, opt_ml.base)
        opt_ml.write_failure(message)
        print(metrics.unreadable(printable(message)), file=sys.stderr, flush=True)
        return 1
    return 0
