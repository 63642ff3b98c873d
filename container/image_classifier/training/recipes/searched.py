"""recipe=search: features once, trials of the head's hyperparameters on them, then a training with the best values."""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np

from image_classifier.contract.hyperparameters import Hyperparameters
from image_classifier.heads import copies
from image_classifier.training import fine_tuning
from image_classifier.training.data.splits import DataSplits
from image_classifier.training.distributed.cluster import Cluster, single_host
from image_classifier.training.loop import class_weights
from image_classifier.training.loop.fitting import Session
from image_classifier.training.model.backbone import Backbone
from image_classifier.training.progress import log
from image_classifier.training.recipes import inputs, search, search_report, search_space, stage_store, trial
from image_classifier.training.recipes.head_trainer import LabelledFeatures
from image_classifier.training.recipes.inputs import Inputs
from image_classifier.training.recipes.search import SearchResult
from image_classifier.training.recipes.trial import Task
from image_classifier.training.stopping import StopSignal
from image_classifier.training.trained import Table, Trained

TRIALS = 100
"""Trials where `search_trials` is 0."""
SHARE = 1 / 2
"""Of the time that max_runtime leaves: the training with the best values needs the rest."""


def train(
    data: DataSplits,
    backbone: Backbone,
    values: Hyperparameters,
    stop: StopSignal,
    cluster: Cluster | None = None,
    checkpoints_dir: Path | None = None,
    *,
    sources: Mapping[str, str] = MappingProxyType({}),
) -> Trained:
    """Train by recipe=search; arguments, result and errors as of `fine_tuning.train`. Collective.

    `sources` are those of the hyperparameters: given ones are not searched. Trials are kept in `checkpoints_dir`.
    """
    started = time.monotonic()
    frozen = replace(values, train_only_top_layer=True)
    job = inputs.prepare(data, backbone, frozen, stop, cluster or single_host(), checkpoints_dir)
    names = search_space.searched(frozen, sources)
    result = _search(job, names, checkpoints_dir) if job.session.cluster.is_chief else None
    job.session.cluster.barrier(stage_store.LONGEST_SECONDS)
    best = dict(result.best.values) if result and result.best else {}
    # Those of the chief, on every host.
    chosen = replace(frozen, **job.session.cluster.gather_json(best)[0])
    trained = fine_tuning.train_on(job.prepared, data, backbone, chosen, job.session, started)
    if result is None:
        return trained
    table = Table("search.csv", *search_report.table(result))
    return replace(trained, recipe=search_report.to_json(result), tables=(table,))


def _search(job: Inputs, names: tuple[str, ...], folder: Path | None) -> SearchResult:
    values, rows = job.values, job.training.rows
    counts = np.bincount(rows.labels, minlength=len(job.class_names)).tolist()
    kernel, bias = fine_tuning.build(job.backbone, values, len(job.class_names)).head.get_weights()
    first = copies.first_copies(np.asarray(rows.inputs), np.arange(len(rows)))
    task = Task(
        data=LabelledFeatures(np.asarray(rows.inputs), rows.labels),
        folds=trial.stratified_folds(
            rows.labels, values.random_seed, copies.where_enough_differ(first, trial.MOST_FOLDS)
        ),
        class_weights=class_weights.weights(values, job.class_names, counts),
        start=np.vstack([kernel, bias]),
    )
    log(f"Recipe: search for the head's hyperparameters: {', '.join(names) or 'all of them are given'}")
    trials, stopped = values.search_trials or TRIALS, stop_condition(job.session, values.max_runtime)
    result = search.search(task, values, names, trials, folder, stopped)
    for line in search_report.lines(result):
        log(line)
    return result


def stop_condition(session: Session, max_runtime: int) -> Callable[[], str]:
    """Return a function that returns why a search that starts now must end, or an empty text while it need not."""
    started, allowed = time.monotonic(), SHARE * session.stop.training_seconds()
    reason = f"half of the time that max_runtime={max_runtime} left is over; the rest is for the training"
    if session.cluster.count > 1 and allowed > stage_store.LONGEST_SECONDS:
        allowed = stage_store.LONGEST_SECONDS
        reason = f"the other hosts wait {allowed:.0f} s and no longer"

    def condition() -> str:
        if session.stop.is_set():
            return f"a stop was requested ({session.stop.reason})"
        return reason if time.monotonic() - started > allowed else ""

    return condition
