"""`scripts/launch deploy`: serve the model of a job, or any other one, on SageMaker."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from image_classifier.cli.launch import arguments, held_out, models, printing
from image_classifier.cli.launch.held_out import Known
from image_classifier.cloud.sagemaker import calls, endpoint_options, endpoints, hosting, names, session
from image_classifier.cloud.sagemaker.calls import Call
from image_classifier.cloud.sagemaker.endpoint_options import ASYNCHRONOUS, MULTI_MODEL, REAL_TIME, SERVERLESS
from image_classifier.cloud.sagemaker.hosting import Deployment
from image_classifier.cloud.sagemaker.session import Session

SUMMARY = "serve a model: real-time, serverless, asynchronous, or many models behind one endpoint"
EXAMPLES = (
    "examples:\n  scripts/launch deploy run/flowers --name flowers\n"
    "  scripts/launch deploy run/flowers --name flowers --kind serverless\n\n"
    "NAME=VALUE words become environment variables of the server: docs/reference/serving-settings.md\n"
    "Deploying again under the same name replaces the model without a pause."
)
_OF_THE_JOB = (
    *("image", "serve_image", "role", "location", "region", "profile", "network_isolation", "subnets"),
    *("security_groups", "kms_key", "tags"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the verb."""
    parser.add_argument("model", metavar="JOB_OR_MODEL", help="a job's folder, a model folder or archive, s3://...")
    parser.add_argument("words", nargs="*", metavar="NAME=VALUE", help="environment variables of the server")
    parser.add_argument("--name", metavar="NAME", help="of the endpoint (default: that of the experiment)")
    arguments.add_dry_run(parser)
    arguments.add_price(parser)
    arguments.add_outputs(parser)
    arguments.add_declared(parser, endpoint_options.DECLARATIONS, "the endpoint")
    arguments.add_options(parser, _OF_THE_JOB)


def run(given: argparse.Namespace) -> int:
    """Run the verb and return the exit code: 1 if the endpoint answers otherwise than the job did."""
    how = endpoint_options.parse(arguments.given_options(given, endpoint_options.DECLARATIONS))
    served = models.find(given.model, arguments.given_options(given))
    opened = session.open_session(served.options.region, served.options.profile)
    storage = served.options.storage(opened.region)
    name = names.plain(given.name or served.experiment)
    many = storage.below(f"endpoints/{name}") if how.kind == MULTI_MODEL else None
    found = Deployment(
        endpoint=name,
        version=names.unique(name),
        experiment=served.experiment,
        artefact=f"{many.uri}/" if many else served.artefact(storage),
        image=served.image(),
        storage=storage,
        environment=arguments.settings(given.words),
        options=served.options,
        how=how,
    )
    planned = hosting.requests(found, exists=False)
    calls.validate(planned)
    if given.dry_run:
        upload = served.upload_as_json(storage)
        printing.json_document([*([upload] if upload else []), *(call.as_json() for call in planned)])
        return 0
    served.bring(storage, many)
    exists = endpoints.exists(opened, name)
    _send(opened, hosting.requests(found, exists), name, how.retry_seconds, given.json)
    known = held_out.find(Path(given.model)) if how.kind in (REAL_TIME, SERVERLESS) else None
    sentence, agrees = _checked(opened, name, known) if known else ("", True)
    if sentence and not given.json:
        printing.line(sentence, None if agrees else "yellow")
    _report(found, given.price, given.json)
    return 0 if agrees else 1


def _checked(opened: Session, name: str, known: Known) -> tuple[str, bool]:
    return held_out.compared(known, endpoints.invoke(opened, name, known.image, "application/json;verbose"))


def _send(opened: Session, requests: Sequence[Call], name: str, patience: float, silent: bool) -> None:
    scaling = [call for call in requests if call.service == "application-autoscaling"]
    announce = (lambda _: None) if silent else printing.line
    for call in requests:
        if call not in scaling:
            opened.send_patiently(call, patience, announce)
    endpoints.wait(opened, name, announce)
    # Auto scaling takes endpoints in service alone.
    for call in scaling:
        opened.send(call)


def _report(found: Deployment, price: float | None, as_json: bool) -> None:
    if as_json:
        printing.json_document(
            {"endpoint": found.endpoint, "model": found.version, "artefact": found.artefact, "image": found.image}
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
