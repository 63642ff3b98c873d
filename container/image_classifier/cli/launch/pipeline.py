"""`scripts/launch pipeline`: train, judge and register an experiment as a SageMaker pipeline, again and again."""

import argparse

from image_classifier import PROGRAM
from image_classifier.cli.launch import arguments, completion, images, printing, register, train
from image_classifier.cloud.s3 import Access, Location, S3Storage
from image_classifier.cloud.sagemaker import calls, executions, names, places, registering, registry, session
from image_classifier.cloud.sagemaker.kinds import PIPELINE
from image_classifier.cloud.sagemaker.options import TrainingOptions
from image_classifier.cloud.sagemaker.pipelines import definition
from image_classifier.cloud.sagemaker.pipelines.definition import Pipeline, PipelineOptions
from image_classifier.cloud.sagemaker.registry import Registered
from image_classifier.cloud.sagemaker.session import Session
from image_classifier.runners import sagemaker
from image_classifier.runners.experiment import Experiment
from image_classifier.runners.sagemaker_job import inputs
from image_classifier.runners.sagemaker_job.inputs import Source

SUMMARY = "make a SageMaker pipeline: train, judge, register a model that is good enough"
EXAMPLES = (
    "examples:\n  scripts/launch pipeline job.toml --dry-run\n"
    "  scripts/launch pipeline job.toml --minimum-accuracy 0.9 --start\n\n"
    "The same command again updates the pipeline. Guide: docs/guides/registry.md"
)
_UNUSED = PROGRAM.parent / "run" / "pipeline"
"""A pipeline leaves no folder on this machine."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the verb."""
    train.add_inputs(parser)
    parser.add_argument("--start", action="store_true", help="start an execution and follow it")
    parser.add_argument("--detach", action="store_true", help="with --start: return once the execution has begun")
    parser.add_argument("--definition", action="store_true", help="print the definition as JSON; send nothing")
    arguments.add_dry_run(parser)
    arguments.add_declared(parser, definition.DECLARATIONS, "the pipeline")
    arguments.add_options(parser)


def run(given: argparse.Namespace) -> int:
    """Run the verb and return the exit code; a model that is not good enough is a failed execution."""
    asked_for, _ = train.asked(given)
    how = definition.parse(arguments.given_options(given, definition.DECLARATIONS))
    images.check(asked_for)
    sagemaker.check(asked_for, _UNUSED)
    typed = inputs.options_of(asked_for)
    opened = session.open_session(typed.region, typed.profile)
    storage = typed.storage(opened.region)
    model = inputs.chosen(asked_for)
    access = S3Storage(Access(region=opened.region, profile=typed.profile or None))
    plans = given.dry_run or given.definition
    if not plans:
        places.check(access, opened.region, storage, inputs.in_s3(asked_for))
    path = model.path if plans else model.fetch()
    local = inputs.sources(asked_for, storage, path, needs_staging=bool(plans and model.model_id))
    found = _pipeline(asked_for, how, typed, storage, local)
    made = definition.build(found)
    group = registering.create_group(found.group, asked_for.name, typed)
    create = definition.upsert(found, made, exists=False)
    calls.validate([*definition.requests(made), group, create])
    if given.definition:
        printing.json_document(made)
        return 0
    if given.dry_run:
        started = [executions.start_call(found.name)] if given.start else []
        requests = [call.as_json() for call in (group, create, *started)]
        printing.json_document([*(source.as_json() for source in local), *requests])
        return 0
    inputs.upload(access, local, storage, lambda done, total: None)
    if opened.find(registry.describe_group(found.group)) is None:
        opened.send(group)
    exists = opened.find(PIPELINE.call("Describe", found.name)) is not None
    opened.send(definition.upsert(found, made, exists) if exists else create)
    printing.line(f"{'Updated' if exists else 'Made'} the pipeline {found.name}. Its versions go to {found.group}.")
    if given.start:
        return _follow(opened, found, given.detach)
    printing.line(f"Start it: the same command with --start. scripts/launch delete {found.name} deletes it.")
    return 0


def _pipeline(
    asked_for: Experiment, how: PipelineOptions, typed: TrainingOptions, storage: Location, local: list[Source]
) -> Pipeline:
    name = names.plain(f"{asked_for.name}-pipeline")
    job = inputs.training_job(asked_for, typed, storage, local, name, name)
    return Pipeline(name, names.plain(how.group or asked_for.name), job, how)


def _follow(opened: Session, found: Pipeline, detach: bool) -> int:
    arn = executions.start(opened, found.name)
    printing.line(f"Started {arn}. Ctrl-C detaches; the execution continues.")
    if detach:
        return 0
    try:
        version = executions.follow(opened, arn, printing.line)
    except KeyboardInterrupt:
        printing.line("Detached; the execution continues.")
        return 0
    registered = registry.find(opened, version) if version else None
    if registered is not None:
        completed, lacking = completion.try_to_complete(opened, registered)
        if lacking:
            printing.line(lacking, "yellow")
        _report(completed or registered)
    return 0


def _report(found: Registered) -> None:
    printing.line(f"Registered {found.name}, {found.approval}: {found.artefact}")
    register.print_next(found)
