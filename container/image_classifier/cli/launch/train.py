"""`scripts/launch train`: start a training job on SageMaker from `job.toml` and flags, and follow it."""

import argparse
import shlex
import time
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from image_classifier import PROGRAM
from image_classifier.class_folders import manifests
from image_classifier.cli import argument_types, train_locally
from image_classifier.cli.launch import arguments, following, images, printing
from image_classifier.cli.terminal import typed_paths
from image_classifier.cloud import s3
from image_classifier.cloud.s3 import Access, S3Storage
from image_classifier.cloud.sagemaker import places, session
from image_classifier.contract import assignments
from image_classifier.contract.errors import UserError
from image_classifier.runners import experiment, sagemaker
from image_classifier.runners.experiment import Experiment
from image_classifier.runners.sagemaker_job import inputs

SUMMARY = "train on SageMaker"
EXAMPLES = (
    "examples:\n  scripts/launch train job.toml --dry-run\n"
    "  scripts/launch train --training photos --image URI --role ARN epochs=5\n\n"
    "All hyperparameters: docs/reference/hyperparameters.md. Guide: docs/guides/launch.md"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the verb."""
    add_experiment(parser)
    parser.add_argument("--detach", action="store_true", help="return once the job has been asked for")
    arguments.add_dry_run(parser)
    arguments.add_price(parser)
    arguments.add_outputs(parser)
    arguments.add_options(parser)


def add_experiment(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say what to train on, and where the result goes."""
    add_inputs(parser)
    parser.add_argument(
        "--output",
        type=argument_types.some_path,
        metavar="DIR",
        help="a new folder for the result (default: run/<time>)",
    )


def add_inputs(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say what to train on."""
    parser.add_argument("words", nargs="*", metavar="job.toml | name=value", help="the experiment, hyperparameters")
    parser.add_argument("--name", metavar="NAME", help="of the experiment")
    parser.add_argument("--training", metavar="DIR", help="one folder per class, a manifest, or an s3:// URI")
    parser.add_argument("--validation", metavar="DIR", help="the same layout; else a part is split off")
    parser.add_argument("--test", metavar="DIR", help="the same layout; scored once at the end")
    parser.add_argument("--model", metavar="MODEL", help="an id or short name (scripts/models), an archive, s3://...")


def run(given: argparse.Namespace) -> int:
    """Run the verb and return the exit code: 0 unless the job failed."""
    asked_for, recipe_line = asked(given)
    stamp = time.strftime("%Y%m%d-%H%M%S")
    output = given.output or Path(typed_paths.shortest(PROGRAM.parent / "run" / stamp))
    images.check(asked_for)
    sagemaker.check(asked_for, output)
    if given.dry_run:
        printing.json_document(sagemaker.plan(asked_for))
        return 0
    _check_places(asked_for)
    sagemaker.start(asked_for, output)
    if given.json or given.detach:
        if not given.json:
            printing.line(f"Started. scripts/launch status {shlex.quote(str(output))} shows the job.")
    elif recipe_line:
        printing.line(recipe_line)
    if given.detach:
        if given.json:
            printing.json_document({"folder": str(output)})
        return 0
    return following.follow(output, as_json=given.json, price=given.price)


def _check_places(asked_for: Experiment) -> None:
    """Look at the bucket and at inputs in S3 before the job has a folder, and before a detached one is left alone."""
    typed = inputs.options_of(asked_for)
    opened = session.open_session(typed.region, typed.profile)
    storage = S3Storage(Access(region=opened.region, profile=typed.profile or None))
    places.check(storage, opened.region, typed.storage(opened.region), inputs.in_s3(asked_for))


def asked(given: argparse.Namespace) -> tuple[Experiment, str | None]:
    """Return the experiment of the file and the flags, and a line that says which recipe was chosen for the user.

    Raises:
        UserError: The file or a word is invalid, or the training channel is missing.
    """
    # A file may lie in a folder such as lr=0.1.
    files = [word for word in given.words if "=" not in word or word.endswith(".toml")]
    if len(files) > 1:
        raise UserError(
            f"Give one file with an experiment, not {', '.join(files)}. Hyperparameters are written name=value."
        )
    typed = {name: getattr(given, name) for name in (*experiment.CHANNELS, "model", "name") if getattr(given, name)}
    for name in experiment.CHANNELS:
        if name in typed and not experiment.is_address(typed[name]):
            typed[name] = str(manifests.folder_of(Path(typed[name]), f"--{name}"))
    line = None
    words = assignments.parse([word for word in given.words if word not in files])
    if files:
        # The file means the same on every runner: no recipe is chosen here.
        base = experiment.with_hyperparameters(experiment.read(Path(files[0])), words)
    elif "training" in typed:
        settings, line = train_locally.with_recipe(words)
        name = experiment.name_from(Path(typed["training"].rstrip("/")).name)
        base = Experiment(name=name, training="", hyperparameters=settings)
    else:
        raise UserError("Nothing to train on: give a job.toml, or --training with a folder or an s3:// URI.")
    table = arguments.merged(base.options.get(experiment.SAGEMAKER, {}), arguments.given_options(given))
    every = MappingProxyType({**base.options, experiment.SAGEMAKER: table})
    for name in experiment.CHANNELS:
        address = typed.get(name) or getattr(base, name)
        if address and experiment.is_s3(address):
            s3.parse(address)
    made = replace(base, **typed, runner=experiment.SAGEMAKER, options=every)
    return experiment.absolute(made), line
