"""`scripts/launch monitor`: compare an endpoint's requests with its training data, regularly or once."""

import argparse
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from image_classifier.cli import argument_types
from image_classifier.cli.launch import arguments, printing
from image_classifier.cloud import s3
from image_classifier.cloud.s3 import Access, Location, S3Storage
from image_classifier.cloud.sagemaker import (
    calls,
    deletion,
    inventory,
    monitor_options,
    monitored,
    monitoring,
    option_reading,
    options,
    session,
    waiting,
)
from image_classifier.cloud.sagemaker.inventory import Resource
from image_classifier.cloud.sagemaker.kinds import ALARM, PROCESSING_JOB, SCHEDULE, TOPIC, Kind
from image_classifier.cloud.sagemaker.monitored import Monitored
from image_classifier.cloud.sagemaker.monitoring import Monitor
from image_classifier.cloud.sagemaker.options import TrainingOptions
from image_classifier.cloud.sagemaker.session import Session
from image_classifier.contract.errors import PlatformError, UserError
from image_classifier.runners import experiment

SUMMARY = "compare the requests of an endpoint with its training data, regularly or once, with an alarm on drift"
EXAMPLES = (
    "examples:\n  scripts/launch monitor flowers run/flowers --now\n"
    "  scripts/launch monitor flowers run/flowers --scheduler-role ARN --alarm-email me@example.com\n"
    "  scripts/launch monitor flowers --stop\n\n"
    "Again with other options changes the schedule. Guide: docs/guides/drift.md"
)
DRIFTED = 2
"""Exit code of drift, as that of scripts/drift."""
_OF_THE_JOB = (
    *("image", "role", "location", "region", "profile", "network_isolation", "subnets", "security_groups"),
    *("kms_key", "tags"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the verb."""
    parser.add_argument(
        "endpoint", type=argument_types.some_text, metavar="ENDPOINT", help="an endpoint with data capture"
    )
    parser.add_argument("job", nargs="?", metavar="JOB", help="a job's folder or job.toml, for its options")
    parser.add_argument("--now", action="store_true", help="run once and print the verdict; no schedule")
    parser.add_argument("--stop", action="store_true", help="delete the schedule, the alarm and its topic")
    arguments.add_dry_run(parser)
    arguments.add_declared(parser, monitor_options.DECLARATIONS, "the monitoring")
    arguments.add_options(parser, _OF_THE_JOB)


def run(given: argparse.Namespace) -> int:
    """Run the verb and return the exit code: 2 if `--now` found drift."""
    if given.now and given.stop:
        raise UserError("Give --now or --stop, not both.")
    how = monitor_options.parse(arguments.given_options(given, monitor_options.DECLARATIONS))
    typed = options.parse({**_table(given.job), **arguments.given_options(given)})
    opened = session.open_session(typed.region, typed.profile)
    if given.stop:
        return _stop(opened, given.endpoint, given.dry_run)
    target = monitored.find(opened, given.endpoint)
    typed = _complete(typed, target, opened.region)
    found = Monitor(target, typed, how, _storage(typed, target))
    return _once(opened, found, given.dry_run) if given.now else _regularly(opened, found, given.dry_run)


def _table(job: str | None) -> dict[str, Any]:
    """Return the options of a job's folder or of its file."""
    if job is None:
        return {}
    path = Path(job)
    table = experiment.read(path / experiment.FILE if path.is_dir() else path).options.get(experiment.SAGEMAKER, {})
    return {name: value for name, value in table.items() if name in _OF_THE_JOB}


def _complete(typed: TrainingOptions, target: Monitored, region: str) -> TrainingOptions:
    """Return the options with what the endpoint says for those that are not given."""
    image = typed.image or (target.image if target.image.endswith(("-cpu", "-gpu")) else "")
    if not image:
        raise UserError(
            "Monitoring needs the Docker image cpu or gpu, since the serve image lacks the statistics: give --image, "
            "or the job's folder behind the endpoint's name."
        )
    found = replace(typed, image=image, role=typed.role or target.role, region=region)
    option_reading.reject(options.missing(found))
    return found


def _storage(typed: TrainingOptions, target: Monitored) -> Location:
    """Return the folder for reports: the given one, or that of `scripts/launch deploy`, beside `captured`."""
    suffix = f"/captured/{target.endpoint}"
    if not typed.location and target.destination.uri.endswith(suffix):
        return s3.parse(target.destination.uri.removesuffix(suffix))
    return typed.storage(typed.region)


def _stop(opened: Session, endpoint: str, is_dry: bool) -> int:
    steps = deletion.plan(_own(opened, endpoint, (SCHEDULE, ALARM, TOPIC)), with_records=False)
    if is_dry:
        printing.json_document([step.call.as_json() for step in steps])
    elif not steps:
        printing.line(f"Nothing monitors the endpoint {endpoint}.")
    else:
        deletion.run(opened, steps, printing.line)
        printing.line("Done. The reports in S3 stay.")
    return 0


def _own(opened: Session, endpoint: str, kinds: tuple[Kind, ...]) -> list[Resource]:
    """Return what this program made to monitor an endpoint, of some kinds."""
    wanted = {kind: endpoint if kind == SCHEDULE else f"drift-{endpoint}" for kind in kinds}
    return [each for each in inventory.find(opened) if wanted.get(each.kind) == each.name]


def _regularly(opened: Session, found: Monitor, is_dry: bool) -> int:
    if not found.how.scheduler_role:
        raise UserError(
            "scheduler_role is missing: EventBridge Scheduler starts the jobs with a role of its own, which trusts "
            "scheduler.amazonaws.com. docs/guides/iam/scheduler-role.json is its policy; give its ARN with "
            "--scheduler-role."
        )
    planned = monitoring.requests(found, has_group=False, exists=False)
    # The request of a run lies as text in the schedule.
    calls.validate([*planned, monitoring.example_job(found)])
    if is_dry:
        printing.json_document([call.as_json() for call in planned])
        return 0
    has_group, exists = monitoring.existing(opened, found)
    endpoint, other = found.target.endpoint, monitoring.other_alarm(opened, found)
    if other and found.topic:
        raise UserError(
            f"The alarm {other} watches the drift of {endpoint} already, and a second one would tell the same twice. "
            "Leave --alarm-email and --sns out, and let that alarm notify whom you want."
        )
    for call in monitoring.requests(found, has_group, exists, bool(other)):
        opened.send(call)
    if other:
        deletion.run(opened, deletion.plan(_own(opened, endpoint, (ALARM, TOPIC)), with_records=False), printing.line)
    printing.line(f"{'Changed' if exists else 'Made'} the drift schedule of {endpoint}: {found.how.expression}, UTC.")
    printing.line(f"Reports: {found.storage.below(f'drift/{endpoint}/').uri}   alarm: {other or found.name}")
    if other:
        printing.line(f"The alarm {other} watches it already, so that this program makes none.")
    elif found.how.alarm_email:
        printing.line(f"AWS has written to {found.how.alarm_email}: the alarm is sent once the link in it is opened.")
    elif not found.topic:
        printing.line("The alarm sends no message; --alarm-email ADDRESS or --sns TOPIC makes it.", "yellow")
    printing.line(f"scripts/launch monitor {endpoint} --stop ends it.")
    return 0


def _once(opened: Session, found: Monitor, is_dry: bool) -> int:
    now = datetime.now(UTC)
    call = monitoring.create_processing_job(found, now.strftime("%Y%m%d-%H%M%S"), now.strftime("%Y-%m-%dT%H:%M:%SZ"))
    calls.validate([call])
    if is_dry:
        printing.json_document([call.as_json()])
        return 0
    opened.send(call)
    name = str(call.parameters["ProcessingJobName"])
    printing.line(f"Started the processing job {name}: requests of {found.how.hours} h. This takes several minutes.")
    waiting.until_completed(opened, PROCESSING_JOB, name, monitoring.LOG_GROUP, printing.line)
    reports = found.reports(name)
    access = S3Storage(Access(region=opened.region, profile=opened.profile or None))
    body = access.read_bytes(reports.below("drift.json"))
    if body is None:
        raise PlatformError(f"The processing job {name} completed, and {reports.below('drift.json')} does not exist.")
    report = json.loads(body)
    printing.line(str(report["verdict"]), "yellow" if report["drifted"] else None)
    printing.line(f"Report: {reports.below('drift.html').uri}")
    return DRIFTED if report["drifted"] else 0
