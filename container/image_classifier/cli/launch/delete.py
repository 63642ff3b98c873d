"""`scripts/launch delete`: delete what this program made, by its tags, after a confirmation."""

import argparse
import sys

from image_classifier.cli.launch import arguments, printing, status
from image_classifier.cloud.sagemaker import deletion, inventory, session
from image_classifier.cloud.sagemaker.inventory import Resource
from image_classifier.cloud.sagemaker.kinds import ALARM, TOPIC
from image_classifier.contract.errors import UserError

SUMMARY = "delete endpoints, configurations, models and pipelines that this program made, and stop its jobs"
EXAMPLES = (
    "examples:\n  scripts/launch delete --all --dry-run\n  scripts/launch delete flowers\n\n"
    "Only what has this program's tag is deleted. Data, models and checkpoints in S3 stay.\n"
    "Finished jobs and registered versions cost nothing and stay too; --records deletes them where AWS can."
)
_YES = ("y", "yes")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the verb."""
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="of endpoints, configurations, models, pipelines and jobs; a version as GROUP:VERSION",
    )
    parser.add_argument("--all", action="store_true", help="everything that this program made in the region")
    parser.add_argument("--experiment", default="", metavar="NAME", help="everything of one experiment")
    parser.add_argument(
        "--records", action="store_true", help="jobs that have ended, and registered versions with their groups, too"
    )
    parser.add_argument("--yes", action="store_true", help="without asking")
    arguments.add_dry_run(parser)
    arguments.add_options(parser, arguments.PLACE)


def run(given: argparse.Namespace) -> int:
    """Run the verb and return the exit code: 1 if the deletion was not confirmed."""
    if not (given.names or given.all or given.experiment):
        raise UserError("Say what to delete: names, --experiment NAME or --all. scripts/launch status lists them.")
    opened = session.open_session(given.region or "", given.profile or "")
    found = _chosen(inventory.find(opened, given.experiment), given.names)
    steps = deletion.plan(found, given.records)
    if given.dry_run:
        printing.json_document([step.call.as_json() for step in steps])
        return 0
    if not steps:
        printing.line("There is nothing to delete.")
        return 0
    status.show(found)
    if not given.yes and not _confirmed(len(steps)):
        printing.line("Nothing was deleted.")
        return 1
    deletion.run(opened, steps, printing.line)
    printing.line("Done. Data, models and checkpoints in S3 stay.")
    return 0


def _chosen(found: list[Resource], names: list[str]) -> list[Resource]:
    if not names:
        return found
    if unknown := sorted(set(names) - {each.name for each in found}):
        raise UserError(
            f"{', '.join(unknown)}: not found among what this program made in this region; "
            "scripts/launch status lists it. Nothing was deleted."
        )
    # A group is deleted with its versions.
    return [
        each
        for each in found
        if each.name in names or each.name.partition(":")[0] in names or _watched_by(each) in names
    ]


def _watched_by(resource: Resource) -> str:
    """Return the endpoint of a drift alarm or its topic; empty for anything else."""
    return resource.name.removeprefix("drift-") if resource.kind in (ALARM, TOPIC) else ""


def _confirmed(steps: int) -> bool:
    if not sys.stdin.isatty():
        raise UserError("Deleting needs a confirmation, and standard input is not a terminal: give --yes.")
    return input(f"Take these {steps} steps? [y/N] ").strip().lower() in _YES
