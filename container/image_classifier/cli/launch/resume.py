"""`scripts/launch resume`: start a stopped or failed training job again, from its checkpoints in S3, and follow it."""

import argparse

from image_classifier.cli import argument_types
from image_classifier.cli.launch import arguments, following
from image_classifier.runners import sagemaker

SUMMARY = "resume a stopped or failed training job from its checkpoints, and follow it"
EXAMPLES = "examples:\n  scripts/launch resume run/flowers"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the verb."""
    parser.add_argument("folder", type=argument_types.some_path, metavar="JOB", help="the folder of the job")
    arguments.add_price(parser)
    arguments.add_outputs(parser)


def run(given: argparse.Namespace) -> int:
    """Run the verb and return the exit code: 0 unless the job failed."""
    sagemaker.resume(given.folder)
    return following.follow(given.folder, as_json=given.json, price=given.price)
