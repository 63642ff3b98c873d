"""`scripts/launch register`: a version of the model registry, with its evaluation, model card and drift baseline."""

import argparse
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from image_classifier.cli import argument_types
from image_classifier.cli.launch import arguments, completion, models, printing
from image_classifier.cli.launch.models import ServedModel
from image_classifier.cloud import uploads
from image_classifier.cloud.s3 import Access, Location, S3Storage
from image_classifier.cloud.sagemaker import calls, names, places, registering, registry, session
from image_classifier.cloud.sagemaker.registering import S3File, Version
from image_classifier.cloud.sagemaker.registry import Registered
from image_classifier.cloud.sagemaker.session import Session
from image_classifier.contract import report_files
from image_classifier.contract.errors import UserError
from image_classifier.contract.opt_ml import OptMl
from image_classifier.durable_files import sha256_of
from image_classifier.registration import drift_files, figures, package_card

SUMMARY = "register a model as a version with its evaluation, or approve a version"
EXAMPLES = (
    "examples:\n  scripts/launch register run/flowers --dry-run\n  scripts/launch register run/flowers --approve\n"
    "  scripts/launch register flowers:3 --reject\n\n"
    "The same artefact is registered once; --approve, --pending and --reject change the version that it is.\n"
    "Guide: docs/guides/registry.md"
)
_OF_THE_JOB = ("image", "serve_image", "role", "location", "region", "profile", "tags")


@dataclass(frozen=True)
class _Upload:
    """A file that goes to S3 beside the artefact."""

    file: Path
    target: Location

    def as_json(self) -> dict[str, Any]:
        parameters = {"from": self.file.name, "to": self.target.uri}
        return {"service": "s3", "operation": "PutObject", "parameters": parameters}

    @property
    def in_s3(self) -> S3File:
        return S3File(self.target.uri, sha256_of(self.file))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the verb."""
    parser.add_argument(
        "model",
        type=argument_types.some_text,
        metavar="JOB_OR_VERSION",
        help="a job's folder, a model folder or archive; GROUP:VERSION or an ARN",
    )
    parser.add_argument(
        "--group", type=arguments.name, metavar="NAME", help="of versions (default: the name of the experiment)"
    )
    parser.add_argument(
        "--evaluation",
        type=argument_types.some_path,
        metavar="DIR",
        help="with evaluation.json and model_card.json (default: the job's)",
    )
    status = parser.add_mutually_exclusive_group()
    words = {"approve": registry.APPROVED, "pending": registry.PENDING, "reject": registry.REJECTED}
    for name, value in words.items():
        flag = {"action": "store_const", "const": value, "dest": "approval"}
        status.add_argument(f"--{name}", help=f"approval status {value}", **flag)  # type: ignore[arg-type]
    arguments.add_dry_run(parser)
    arguments.add_outputs(parser)
    arguments.add_options(parser, _OF_THE_JOB)


def run(given: argparse.Namespace) -> int:
    """Run the verb and return the exit code."""
    asked = None if Path(given.model).exists() else registry.reference(given.model)
    if asked is not None and (asked.arn or asked.version):
        return _change(given, asked)
    served = models.find(given.model, arguments.given_options(given))
    opened = session.open_session(served.options.region, served.options.profile)
    storage = served.options.storage(opened.region)
    with tempfile.TemporaryDirectory() as scratch:
        files = _files(given, served, Path(scratch), storage)
        found = _version(given, served, storage, files)
        group = registering.create_group(found.group, served.experiment, served.options)
        planned = [group, registering.create_version(found)]
        calls.validate(planned)
        if given.dry_run:
            upload = served.upload_as_json(storage)
            before = [*([upload] if upload else []), *(file.as_json() for file in files.values())]
            printing.json_document([*before, *(call.as_json() for call in planned)])
            return 0
        exists = opened.find(registry.describe_group(found.group)) is not None
        known = _known(opened, found) if exists else None
        if known is None:
            access = S3Storage(Access(region=opened.region, profile=served.options.profile or None))
            places.check(access, opened.region, storage)
            if not exists:
                opened.send(group)
            served.bring(storage, None)
            for file in files.values():
                uploads.upload_file(access, file.file, storage)
            arn = str(opened.send(planned[-1])["ModelPackageArn"])
            known = Registered(arn, found.approval, planned[-1].parameters)
            return _report(given, known, f"Registered {known.name}, {known.approval}: {found.description}")
    return _approve(given, opened, known, f"{known.name} is this artefact already")


def _files(given: argparse.Namespace, served: ServedModel, scratch: Path, storage: Location) -> Mapping[str, _Upload]:
    """Return the files of a version by name; what the model does not have is named on the terminal.

    Raises:
        UserError: There is no evaluation.
    """
    evaluation = _folder(given) / report_files.MODEL_QUALITY
    if not evaluation.is_file():
        raise UserError(
            f"{given.model} has no evaluation: {evaluation} is missing. Train with report=True, or let "
            "scripts/evaluate judge the model on labelled images, and give --evaluation with the folder of its report."
        )
    figures.read(evaluation.parent)
    found = [evaluation]
    local = Path(given.model)
    try:
        drift_files.write(local / "model" if (local / "model").is_dir() else served.path or local, scratch)
        found += [scratch / name for name in drift_files.NAMES]
    except UserError as error:
        if not given.json and not given.dry_run:
            printing.line(f"The version gets no drift baselines. {error}", "yellow")
    return {file.name: _Upload(file, uploads.file_location(file, storage)) for file in found}


def _folder(given: argparse.Namespace) -> Path:
    if given.evaluation:
        folder: Path = given.evaluation
        return folder
    return OptMl(Path(given.model)).output_data_dir


def _version(
    given: argparse.Namespace, served: ServedModel, storage: Location, files: Mapping[str, _Upload]
) -> Version:
    score = figures.read(_folder(given))
    artefact = served.artefact(storage)
    baselines = {name: file.in_s3 for name, file in files.items() if name in drift_files.NAMES}
    verdict = f" {score.verdict}" if score.verdict else ""
    return Version(
        group=names.plain(given.group or served.experiment),
        experiment=served.experiment,
        artefact=artefact,
        image=served.image(),
        approval=given.approval or registry.PENDING,
        description=f"{score.sentence}{verdict}",
        evaluation=files[report_files.MODEL_QUALITY].in_s3,
        statistics=baselines.get(drift_files.STATISTICS),
        constraints=baselines.get(drift_files.CONSTRAINTS),
        card=package_card.read(_folder(given), artefact),
        properties=score.as_properties(),
        options=served.options,
    )


def _known(opened: Session, found: Version) -> Registered | None:
    """Return the version that has the artefact already."""
    return next((one for one in registry.versions(opened, found.group) if one.artefact == found.artefact), None)


def _change(given: argparse.Namespace, asked: registry.Reference) -> int:
    """Give a registered version another approval status."""
    opened = session.open_session(asked.region(given.region or ""), given.profile or "")
    if given.dry_run and not asked.arn:
        raise UserError("A dry run sends nothing, so that it cannot look for the version's ARN. Give the ARN.")
    if given.dry_run and given.approval is None:
        raise _undecided(given.model)
    if given.dry_run:
        printing.json_document([registry.approve(asked.arn, given.approval).as_json()])
        return 0
    found = registry.find(opened, asked.arn) if asked.arn else _of_group(opened, asked)
    if found is None:
        raise UserError(f"{given.model} is not registered in {opened.region}. scripts/launch status lists versions.")
    completed, lacking = completion.try_to_complete(opened, found)
    if completed is None and given.approval is None:
        raise UserError(lacking) if lacking else _undecided(given.model)
    if lacking and not given.json:
        printing.line(lacking, "yellow")
    words = found.name if completed is None else f"{found.name} has its model card and figures now"
    return _approve(given, opened, completed or found, words)


def _undecided(named: str) -> UserError:
    return UserError(f"Say what to do with {named}: --approve, --pending or --reject.")


def _of_group(opened: Session, asked: registry.Reference) -> Registered | None:
    if opened.find(registry.describe_group(asked.group)) is None:
        return None
    name = f"{asked.group}:{asked.version}"
    return next((one for one in registry.versions(opened, asked.group) if one.name == name), None)


def _approve(given: argparse.Namespace, opened: Session, found: Registered, words: str) -> int:
    """Give a version the status that was asked for, if it has another one."""
    if given.approval is None or given.approval == found.approval:
        return _report(given, found, f"{words}; it is {found.approval}.")
    opened.send(registry.approve(found.arn, given.approval))
    changed = Registered(found.arn, given.approval, found.description)
    return _report(given, changed, f"{words}; it was {found.approval} and is {given.approval} now.")


def _report(given: argparse.Namespace, found: Registered, sentence: str) -> int:
    if given.json:
        printing.json_document({"version": found.name, "arn": found.arn, "approval": found.approval})
        return 0
    printing.line(sentence)
    print_next(found)
    return 0


def print_next(found: Registered) -> None:
    """Print the command that deploys a version, or approves it first."""
    printing.line("Next:")
    if found.approval == registry.APPROVED:
        printing.line(f"  scripts/launch deploy {found.name} --role ARN")
    else:
        printing.line(f"  scripts/launch register {found.name} --approve")
