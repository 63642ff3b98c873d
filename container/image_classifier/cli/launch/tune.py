"""`scripts/launch tune`: search for hyperparameters with a tuning job, with a leader board, and fetch the best job."""

import argparse
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from image_classifier import PROGRAM, own_files
from image_classifier.cli.launch import arguments, following, images, printing, train
from image_classifier.cli.terminal import typed_paths
from image_classifier.cloud.s3 import Access, S3Storage
from image_classifier.cloud.sagemaker import calls, names, option_reading, places, session, tuning, waiting
from image_classifier.cloud.sagemaker.calls import Call
from image_classifier.cloud.sagemaker.kinds import TRAINING_JOB, TUNING_JOB
from image_classifier.cloud.sagemaker.session import Session
from image_classifier.cloud.sagemaker.tuning import TuningOptions
from image_classifier.contract import contradictions
from image_classifier.contract.errors import PlatformError, UserError
from image_classifier.contract.opt_ml import OptMl
from image_classifier.runners import experiment, job_tree, sagemaker
from image_classifier.runners.experiment import Experiment
from image_classifier.runners.sagemaker_job import inputs, process, record
from image_classifier.runners.sagemaker_job.record import Record

SUMMARY = "search for hyperparameters with a tuning job, and fetch the best model with its report"
EXAMPLES = (
    "examples:\n  scripts/launch tune job.toml --max-jobs 30 --parallel-jobs 3\n"
    "  scripts/launch tune job.toml optimizer=adam --dry-run\n\n"
    "Hyperparameters that are given are the same in all jobs; the others are searched: docs/guides/tuning.md"
)
_BOARD = 5
"""Jobs on the leader board."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the verb."""
    train.add_experiment(parser)
    parser.add_argument(
        "--attach", default="", metavar="NAME", help="follow this tuning job, which was started with the same file"
    )
    arguments.add_dry_run(parser)
    arguments.add_declared(parser, tuning.DECLARATIONS, "the search")
    arguments.add_options(parser)


def run(given: argparse.Namespace) -> int:
    """Run the verb and return the exit code."""
    asked_for, _ = train.asked(given)
    # A recipe would choose what is searched.
    kept = {name: value for name, value in asked_for.hyperparameters.items() if name != contradictions.RECIPE}
    asked_for = replace(asked_for, hyperparameters=kept)
    how = tuning.parse(arguments.given_options(given, tuning.DECLARATIONS))
    output = given.output or Path(typed_paths.shortest(PROGRAM.parent / "run" / time.strftime("%Y%m%d-%H%M%S")))
    images.check(asked_for)
    sagemaker.check(asked_for, output)
    typed = inputs.options_of(asked_for)
    if len(option_reading.items(typed.instance_type)) > 1 or typed.retry_for:
        raise UserError("A search takes one instance type, and no retry_for: give --instance-type TYPE.")
    if given.attach and given.dry_run:
        raise UserError("--attach follows what was started, and a dry run sends nothing: leave one of them out.")
    opened = session.open_session(typed.region, typed.profile)
    name = given.attach or names.unique(asked_for.name, names.LONGEST_OF_A_SEARCH)
    made = Record(name, opened.region, typed.profile, typed.storage(opened.region).uri, name, time.time())
    if given.attach:
        return _follow(opened, asked_for, made, output)
    if given.dry_run:
        model = inputs.chosen(asked_for)
        local = inputs.sources(asked_for, made.location, model.path, needs_staging=model.model_id is not None)
        call = _request(asked_for, how, made, local)
        printing.json_document([*(source.as_json() for source in local), call.as_json()])
        return 0
    storage = S3Storage(Access(region=opened.region, profile=typed.profile or None))
    places.check(storage, opened.region, made.location, inputs.in_s3(asked_for))
    local = inputs.sources(asked_for, made.location, inputs.chosen(asked_for).fetch(), needs_staging=False)
    call = _request(asked_for, how, made, local)
    inputs.upload(storage, local, made.location, lambda done, total: None)
    opened.send(call)
    printing.line(f"Started the tuning job {made.job}. Ctrl-C detaches; scripts/launch delete {made.job} stops it.")
    return _follow(opened, asked_for, made, output)


def _follow(opened: Session, asked_for: Experiment, made: Record, output: Path) -> int:
    """Show the search until it is over and fetch its best job, or until the user detaches; return the exit code."""
    try:
        best = _until_over(opened, made.job)
    except KeyboardInterrupt:
        printing.line(
            f"Detached; the search continues. The same command with --attach {made.job} follows it further, and "
            "fetches the best job."
        )
        return 0
    return _fetch(opened, asked_for, replace(made, job=best["TrainingJobName"]), best, output)


def _request(asked_for: Experiment, how: TuningOptions, made: Record, local: list[inputs.Source]) -> Call:
    typed = inputs.options_of(asked_for)
    job = inputs.training_job(asked_for, typed, made.location, local, made.job, made.job)
    call = tuning.create_tuning_job(job, how)
    calls.validate([call])
    return call


def _until_over(opened: Session, name: str) -> Mapping[str, Any]:
    """Show the leader board until the search is over, and return the summary of its best job.

    Raises:
        PlatformError: The search failed, or no job has a result.
    """
    shown: list[tuple[str, ...]] = []

    def look() -> Mapping[str, Any] | None:
        nonlocal shown
        described = opened.send(TUNING_JOB.call("Describe", name))
        board = _board(opened, name)
        if board and board != shown:
            shown = board
            printing.table(("accuracy", "job", "hyperparameters"), board)
        status = str(described["HyperParameterTuningJobStatus"])
        return None if status in ("InProgress", "Stopping") else described

    described = waiting.until(look)
    assert described
    if "BestTrainingJob" not in described:
        reason = described.get("FailureReason", described[TUNING_JOB.status])
        raise PlatformError(
            f"The tuning job {name} ended without a result ({reason}). The logs of its training jobs say why."
        )
    best: Mapping[str, Any] = described["BestTrainingJob"]
    return best


def _board(opened: Session, name: str) -> list[tuple[str, ...]]:
    parameters = {
        "HyperParameterTuningJobName": name,
        "SortBy": "FinalObjectiveMetricValue",
        "SortOrder": "Descending",
        "MaxResults": _BOARD,
    }
    call = Call("sagemaker", "ListTrainingJobsForHyperParameterTuningJob", parameters, f"The tuning job {name}")
    return [
        (
            f"{job['FinalHyperParameterTuningJobObjectiveMetric']['Value']:.4f}",
            str(job["TrainingJobName"]),
            " ".join(f"{key}={value}" for key, value in sorted(job["TunedHyperParameters"].items())),
        )
        for job in opened.send(call)["TrainingJobSummaries"]
        if "FinalHyperParameterTuningJobObjectiveMetric" in job
    ]


def _fetch(opened: Session, asked_for: Experiment, made: Record, best: Mapping[str, Any], output: Path) -> int:
    """Fetch the best job into the folder, as if it had been trained alone; return the exit code."""
    found = {name: value.strip('"') for name, value in best["TunedHyperParameters"].items()}
    printing.line(f"Best: {' '.join(f'{name}={value}' for name, value in sorted(found.items()))}")
    output.mkdir(parents=True, exist_ok=True)
    with own_files.used_alone(output):
        own_files.mark(output, job_tree.WRITER)
        values = {**asked_for.hyperparameters, **found}
        OptMl(output).lay_out(values)
        experiment.write(output / experiment.FILE, replace(asked_for, hyperparameters=values))
        platform = process.platform_of(opened.send(TRAINING_JOB.call("Describe", made.job)))
        record.write(output, replace(made, platform=platform))
        process.run(output)
    for line in following.closing_lines(output, sagemaker.status(output), price=None):
        printing.line(line)
    return 0
