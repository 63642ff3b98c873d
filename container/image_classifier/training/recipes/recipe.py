"""recipe=auto: the story of its stages, in order.

Stage 0 fits a convex head on features by cross-validation. Stage 1 tunes the network from that head. Stage 2 chooses
between the two on the validation images.
"""

import time
from pathlib import Path

from image_classifier.contract import metrics
from image_classifier.contract.hyperparameters import Hyperparameters
from image_classifier.training.data.splits import DataSplits
from image_classifier.training.distributed.cluster import Cluster, single_host
from image_classifier.training.loop import snapshots
from image_classifier.training.model.backbone import Backbone
from image_classifier.training.progress import log, log_metrics
from image_classifier.training.recipes import (
    candidates,
    earlier_head,
    head_stage,
    inputs,
    outcome,
    refit_stage,
    tuning_stage,
)
from image_classifier.training.recipes.record import Record
from image_classifier.training.recipes.refit_stage import NOT_REFITTED
from image_classifier.training.recipes.stage_store import StageStore
from image_classifier.training.stopping import StopSignal
from image_classifier.training.trained import Trained


def train(
    data: DataSplits,
    backbone: Backbone,
    values: Hyperparameters,
    stop: StopSignal,
    cluster: Cluster | None = None,
    checkpoints_dir: Path | None = None,
) -> Trained:
    """Train by recipe=auto; arguments, result and errors as of `fine_tuning.train`. Collective.

    Finished stages are kept in `checkpoints_dir`: a job that was killed resumes after the last of them.

    Raises:
        UserError: As `fine_tuning.train`.
        JobStopped: The job was stopped before the head was fitted.
    """
    started = time.monotonic()
    job = inputs.prepare(data, backbone, values, stop, cluster or single_host(), checkpoints_dir)
    stages = StageStore(job.session)
    fitted = earlier_head.considered(job, head_stage.run(job, stages))
    head = candidates.of_head(job, fitted.head)
    log_metrics(metrics.epoch_line(1, 1, fitted.record.seconds, head.metrics))
    tuned = tuning_stage.run(job, stages, fitted, head)
    chosen, refitted = tuned.winner or head, NOT_REFITTED
    if chosen is head:
        if tuned.originals:
            snapshots.assign(backbone.layer.variables, tuned.originals)
        refitted = refit_stage.run(job, stages, fitted)
    record = Record(
        chosen="head" if chosen is head else "network",
        rule=tuned.rule,
        features_seconds=job.training.seconds + job.validation.seconds,
        head=fitted.record,
        earlier=fitted.earlier,
        tuning=tuned.record,
        refit=refitted.reason,
    )
    for line in record.lines():
        log(line)
    measured = outcome.Measured(head, tuned, chosen, time.monotonic() - started)
    return outcome.finish(job, measured, fitted, refitted.head, record)
