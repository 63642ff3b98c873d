"""`scripts/launch stop`: stop a training job; the platform saves its best model."""

import argparse
import shlex

from image_classifier.cli import argument_types
from image_classifier.cli.launch import printing
from image_classifier.runners import sagemaker

SUMMARY = "stop a training job, whose best model is saved"
EXAMPLES = "examples:\n  scripts/launch stop run/flowers\n\nscripts/launch resume run/flowers resumes it."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the verb."""
    parser.add_argument("folder", type=argument_types.some_path, metavar="JOB", help="the folder of the job")


def run(given: argparse.Namespace) -> int:
    """Run the verb and return the exit code."""
    if sagemaker.status(given.folder).state.is_over:
        printing.line("The job is over.")
        return 0
    sagemaker.stop(given.folder)
    typed = shlex.quote(str(given.folder))
    printing.line(f"Stopping: the best model so far is being saved. scripts/launch status {typed} shows it.")
    return 0
