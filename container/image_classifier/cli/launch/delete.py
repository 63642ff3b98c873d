"""`scripts/launch delete`: delete what this program made, by its tags, after a confirmation."""

import argparse
import sys

from image_classifier.cli import argument_types
from image_classifier.cli.launch import arguments, printing, status
from image_classifier.cloud.sagemaker import deletion, inventory, names, session
from image_classifier.cloud.sagemaker.inventory import Resource
from image_classifier.cloud.sagemaker.kinds import ALARM, ENDPOINT_CONFIG, MODEL, TOPIC
from image_classifier.contract.errors import UserError

SUMMARY = "delete endpoints, configurations, models and pipelines that this program made, and stop its jobs"
EXAMPLES = (
    "examples:\n  scripts/launch delete --all --dry-run\n  scripts/launch delete flowers\n\n"
    "Only what has this program's tag is deleted. Data, models and checkpoints in S3 stay.\n"
    "Finished jobs and registered versions cost nothing and stay too; --records deletes them,\n"
    "or takes the tags from them where AWS cannot."
)
_YES = ("y", "yes")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the verb."""
    parser.add_argument(
        "names",
        type=argument_types.some_text,
        nargs="*",
        metavar="NAME",
        help="of endpoints, with their configurations and models, of pipelines and jobs; a version as GROUP:VERSION",
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
    if given.names and given.all:
        raise UserError(f"Give names or --all, not both: --all takes more than {', '.join(given.names)}.")
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


def _chosen(found: list[Resource], given: list[str]) -> list[Resource]:
    if not given:
        return found
    by_name = {name: [each for each in found if _belongs_to(each, name)] for name in given}
    if unknown := sorted(name for name, some in by_name.items() if not some):
        raise UserError(
            f"{', '.join(unknown)}: not found among what this program made in this region; "
            "scripts/launch status lists it. Nothing was deleted."
        )
    return [each for each in found if any(each in some for some in by_name.values())]


def _belongs_to(resource: Resource, name: str) -> bool:
    """Return whether a name is the resource's, its group's, or that of the endpoint that it was made for."""
    if resource.name == name or resource.name.partition(":")[0] == name:
        return True
    return _watched_by(resource) == name or (
        resource.kind in (ENDPOINT_CONFIG, MODEL) and names.is_of(resource.name, name)
    )


def _watched_by(resource: Resource) -> str | None:
    """Return the endpoint of a drift alarm or its topic; None for anything else."""
    return resource.name.removeprefix("drift-") if resource.kind in (ALARM, TOPIC) else None


def _confirmed(steps: int) -> bool:
    if not sys.stdin.isatty():
        raise UserError("Deleting needs a confirmation, and standard input is not a terminal: give --yes.")
    return input(f"Take these {steps} steps? [y/N] ").strip().lower() in _YES
