"""`scripts/launch status`: everything that this program made in a region, by its tags, or one job by its folder."""

import argparse
import time
from pathlib import Path
from typing import Any

from image_classifier.cli import argument_types
from image_classifier.cli.launch import arguments, printing
from image_classifier.cloud.sagemaker import inventory, session
from image_classifier.cloud.sagemaker.inventory import Resource
from image_classifier.runners import sagemaker

SUMMARY = "list what this program made on AWS, with state and age, or show one job"
EXAMPLES = "examples:\n  scripts/launch status\n  scripts/launch status run/flowers --json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the verb."""
    parser.add_argument(
        "folder",
        nargs="?",
        type=argument_types.some_path,
        metavar="JOB",
        help="the folder of a job (default: everything)",
    )
    parser.add_argument("--experiment", default="", metavar="NAME", help="only what belongs to one experiment")
    arguments.add_outputs(parser)
    arguments.add_options(parser, arguments.PLACE)


def run(given: argparse.Namespace) -> int:
    """Run the verb and return the exit code."""
    if given.folder is not None:
        return _show_job(given.folder, given.json)
    found = inventory.find(session.open_session(given.region or "", given.profile or ""), given.experiment)
    if given.json:
        printing.json_document([as_json(resource) for resource in found])
    elif not found:
        printing.line("Nothing on AWS in this region was made by this program.")
    else:
        show(found)
    return 0


def show(found: list[Resource]) -> None:
    """Print resources as a table."""
    rows = [(each.kind.words, each.name, each.state or "-", _age(each), each.experiment) for each in found]
    printing.table(("what", "name", "state", "age", "experiment"), rows)


def _age(resource: Resource) -> str:
    return "-" if resource.created is None else printing.age(time.time() - resource.created)


def as_json(resource: Resource) -> dict[str, Any]:
    """Return a resource for `--json`."""
    return {
        "kind": resource.kind.words,
        "name": resource.name,
        "arn": resource.arn,
        "state": resource.state or None,
        "created": resource.created,
        "experiment": resource.experiment,
    }


def _show_job(folder: Path, as_document: bool) -> int:
    found = sagemaker.status(folder)
    if as_document:
        printing.job_document(found, folder)
        return 0
    printing.line(f"{found.state}{f': {found.phase}' if found.phase else ''}")
    if found.failure:
        printing.line(found.failure)
    if found.accuracy is not None:
        printing.line(f"Validation accuracy {found.accuracy:.4f}")
    for name, value in found.extra.items():
        printing.line(f"{name}: {value}")
    return 0
