"""`scripts/launch deploy`: serve the model of a job, or any other one, on SageMaker."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from image_classifier.cli import argument_types
from image_classifier.cli.launch import arguments, held_out, models, printing
from image_classifier.cli.launch.held_out import Known
from image_classifier.cli.launch.models import ServedModel
from image_classifier.cloud.s3 import Access, S3Storage
from image_classifier.cloud.sagemaker import (
    calls,
    endpoint_options,
    endpoints,
    hosting,
    monitored,
    monitoring,
    names,
    places,
    registry,
    session,
)
from image_classifier.cloud.sagemaker.calls import Call
from image_classifier.cloud.sagemaker.endpoint_options import ASYNCHRONOUS, MULTI_MODEL, REAL_TIME, SERVERLESS
from image_classifier.cloud.sagemaker.hosting import Deployment
from image_classifier.cloud.sagemaker.session import Session
from image_classifier.contract import assignments, payload_types, serving_variables, unread_variables
from image_classifier.contract.errors import ExplainedError, UserError

SUMMARY = "serve a model: real-time, serverless, asynchronous, or many models behind one endpoint"
EXAMPLES = (
    "examples:\n  scripts/launch deploy run/flowers --name flowers\n"
    "  scripts/launch deploy run/flowers --name flowers --kind serverless\n"
    "  scripts/launch deploy flowers:3 --role ARN     a version of the model registry: docs/guides/registry.md\n\n"
    "NAME=VALUE words become environment variables of the server: docs/reference/serving-settings.md\n"
    "Deploying again under the same name replaces the model without a pause."
)
_MODEL = "a job's folder, a model folder or archive, s3://..., or a registered version: its ARN, GROUP or GROUP:VERSION"
_OF_THE_JOB = (
    *("image", "serve_image", "role", "location", "region", "profile", "network_isolation", "subnets"),
    *("security_groups", "kms_key", "tags"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the verb."""
    parser.add_argument("model", type=argument_types.some_text, metavar="JOB_OR_MODEL", help=_MODEL)
    parser.add_argument("words", nargs="*", metavar="NAME=VALUE", help="environment variables of the server")
    parser.add_argument(
        "--name", type=arguments.name, metavar="NAME", help="of the endpoint (default: that of the experiment)"
    )
    parser.add_argument("--allow-unapproved", action="store_true", help="also a registered version without approval")
    arguments.add_dry_run(parser)
    arguments.add_price(parser)
    arguments.add_outputs(parser)
    arguments.add_declared(parser, endpoint_options.DECLARATIONS, "the endpoint")
    arguments.add_options(parser, _OF_THE_JOB)


def run(given: argparse.Namespace) -> int:
    """Run the verb and return the exit code: 1 if the endpoint answers otherwise than the job did."""
    how = endpoint_options.parse(arguments.given_options(given, endpoint_options.DECLARATIONS))
    served = models.find_any(given.model, arguments.given_options(given))
    opened = session.open_session(served.options.region, served.options.profile)
    storage = served.options.storage(opened.region)
    name = names.plain(given.name or served.experiment)
    many = storage.below(f"endpoints/{name}") if how.kind == MULTI_MODEL else None
    package = _package(opened, served, given) if served.registered else ""
    found = Deployment(
        endpoint=name,
        version=names.unique(name),
        experiment=served.experiment,
        artefact=f"{many.uri}/" if many else served.artefact(storage),
        image=served.image(),
        storage=storage,
        environment=_environment(given.words),
        options=served.options,
        how=how,
        package=package,
    )
    planned = hosting.requests(found, exists=False)
    calls.validate(planned)
    if given.dry_run:
        upload = served.upload_as_json(storage)
        printing.json_document([*([upload] if upload else []), *(call.as_json() for call in planned)])
        return 0
    uses_storage = served.path is not None or how.capture_percent or how.kind in (ASYNCHRONOUS, MULTI_MODEL)
    if uses_storage:
        places.check(S3Storage(Access(region=opened.region, profile=opened.profile or None)), opened.region, storage)
    served.bring(storage, many)
    exists = endpoints.exists(opened, name)
    _send(opened, hosting.requests(found, exists), found, given.json)
    if exists:
        _follow_with_monitoring(opened, name, _announce(given.json))
    known = held_out.find(Path(given.model)) if how.kind in (REAL_TIME, SERVERLESS) else None
    sentence, agrees = _checked(opened, name, known) if known else ("", True)
    if sentence and not given.json:
        printing.line(sentence, None if agrees else "yellow")
    _report(found, given.price, given.json)
    return 0 if agrees else 1


def _environment(words: list[str]) -> dict[str, str]:
    """Return the environment variables of the server; its own ones are checked here, not minutes later on AWS.

    Raises:
        UserError: A word has no `=`; a name that begins with `SERVE_` is unknown; a value is not allowed.
    """
    found = assignments.parse(words, "Environment variables", "SERVE_PRECISION=bf16")
    if unread := unread_variables.for_server(found):
        raise UserError(" ".join(unread))
    for variable in serving_variables.VARIABLES:
        if variable.name in found:
            variable.read(found)
    return found


def _package(opened: Session, served: ServedModel, given: argparse.Namespace) -> str:
    """Return the ARN of a registered version, which must be approved; a dry run asks AWS for nothing.

    Raises:
        UserError: See `registry.resolve`; or what was asked for does not go with a registered version.
    """
    asked = served.registered
    assert asked is not None
    asked.region(opened.region)
    if given.kind == MULTI_MODEL:
        raise UserError("A multi-model endpoint takes archives, not registered versions. Give the job or its archive.")
    if not given.dry_run:
        found = registry.resolve(opened, asked, served.options.role, given.allow_unapproved)
        if not given.json:
            printing.line(f"Deploying {found.name}, which is {found.approval}: {found.artefact}")
        return found.arn
    if not (asked.arn or asked.version):
        raise UserError(
            f"A dry run sends nothing, so that it cannot look for the newest approved version of {asked.group}. Name "
            f"one, such as {asked.group}:1."
        )
    return asked.arn_in(opened.region, served.options.role)


def _checked(opened: Session, name: str, known: Known) -> tuple[str, bool]:
    return held_out.compared(known, endpoints.invoke(opened, name, known.image, payload_types.EVERY_CLASS))


def _send(opened: Session, requests: Sequence[Call], found: Deployment, silent: bool) -> None:
    scaling = [call for call in requests if call.service == "application-autoscaling"]
    announce = _announce(silent)
    for call in requests:
        if call not in scaling:
            opened.send_patiently(call, found.how.retry_seconds, announce)
    endpoints.wait(opened, found.endpoint, found.version, announce)
    # Auto scaling takes endpoints in service alone.
    for call in scaling:
        opened.send(call)


def _announce(silent: bool) -> Callable[[str], None]:
    return (lambda _: None) if silent else printing.line


def _follow_with_monitoring(opened: Session, name: str, announce: Callable[[str], None]) -> None:
    """Let the drift schedule of an endpoint compare with its new model, if it has a schedule."""
    try:
        schedule = monitoring.find_schedule(opened, name)
        if schedule and monitoring.follow_model(opened, monitored.find(opened, name), schedule):
            announce("Its drift schedule compares with the new model from now on.")
    except ExplainedError as error:
        announce(f"If the endpoint has a drift schedule, it still compares with the earlier model. {error}")


def _container(found: Deployment) -> dict[str, str]:
    return {"artefact": found.artefact, "image": found.image}


def _report(found: Deployment, price: float | None, as_json: bool) -> None:
    if as_json:
        printing.json_document(
            {
                **{"endpoint": found.endpoint, "model": found.version},
                **({"package": found.package} if found.package else _container(found)),
            }
        )
        return
    printing.line(f"The endpoint {found.endpoint} is in service.")
    if price is not None and found.how.kind != SERVERLESS:
        total = printing.cost(price, 3_600, found.how.instances)
        printing.line(f"It costs {total} per hour until scripts/launch delete {found.endpoint}.")
    elif found.how.kind == SERVERLESS:
        printing.line("It costs nothing while it has no requests.")
    printing.line("Next:")
    how = " (the answer comes by way of S3)" if found.how.kind == ASYNCHRONOUS else ""
    printing.line(f"  scripts/launch invoke {found.endpoint} IMAGE_OR_FOLDER{how}")
