"""`scripts/launch invoke`: classify an image or a folder with an endpoint, asynchronous ones included."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from image_classifier.cli import argument_types
from image_classifier.cli.launch import arguments, printing
from image_classifier.cli.predictions import answers, csv_table, image_files, outcomes, scoring
from image_classifier.cli.predictions.answers import Answer
from image_classifier.cli.predictions.csv_table import CsvTable
from image_classifier.cli.predictions.rejections import Rejections
from image_classifier.cli.terminal import consoles
from image_classifier.cloud import s3
from image_classifier.cloud.sagemaker import endpoints, session
from image_classifier.cloud.sagemaker.kinds import ENDPOINT_CONFIG
from image_classifier.cloud.sagemaker.session import Session
from image_classifier.contract.errors import ExplainedError
from image_classifier.contract.names import on_one_line
from image_classifier.contract.payload_types import EVERY_CLASS

SUMMARY = "classify images with an endpoint; class folders, or a manifest, give the accuracy"
EXAMPLES = (
    "examples:\n  scripts/launch invoke flowers photo.jpg\n  scripts/launch invoke flowers photos --csv answers.csv\n\n"
    + outcomes.EXIT_CODES
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the verb."""
    parser.add_argument("endpoint", type=argument_types.some_text, metavar="ENDPOINT", help="its name")
    parser.add_argument("images", type=argument_types.some_path, nargs="+", metavar="IMAGE_OR_FOLDER")
    parser.add_argument("--target-model", default="", metavar="TAR", help="of an endpoint with many models")
    parser.add_argument("--accept", default=EVERY_CLASS, metavar="TYPE", help="response format (default: %(default)s)")
    parser.add_argument(
        "--csv", type=argument_types.some_path, metavar="FILE", help="a new file with a row for each image"
    )
    parser.add_argument(
        "--resume", action="store_true", help="ask about the images that an interrupted command left out of --csv"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")
    arguments.add_options(parser, arguments.PLACE)


def run(given: argparse.Namespace) -> int:
    """Run the verb and return the exit code, see `outcomes.EXIT_CODES`."""
    try:
        return _run(given)
    except ExplainedError as error:
        consoles.report_and_exit_code(error)
        return outcomes.exit_code(error)


def _run(given: argparse.Namespace) -> int:
    csv_table.check(given.csv, given.resume)
    images = image_files.find(given.images, lambda text: consoles.print_text(consoles.errors(), text))
    opened = session.open_session(given.region or "", given.profile or "")
    ask = _asking(opened, given)
    with csv_table.writing(given.csv, images, given.resume) as table:
        if note := csv_table.resumed(table):
            consoles.print_text(consoles.errors(), note)
        found, rejected = _classify(table, ask, given.json)
        table.is_complete = rejected.exit_code != outcomes.OF_THE_SERVER
    scored = answers.score(found)
    if scored is not None and not given.json:
        printing.line(scoring.headline(scored), "bold")
    return rejected.exit_code


def _classify(table: CsvTable, ask: Callable[[Path], dict[str, Any]], as_json: bool) -> tuple[list[Answer], Rejections]:
    """Print the answers as they arrive, and add them to the table."""
    answered, rejected = [], Rejections()
    found = outcomes.of_images(table.images, ask, endpoints.concerns_one_image)
    for image, outcome in zip(table.images, found, strict=True):
        if isinstance(outcome, ExplainedError):
            rejected.add(image, outcome)
            continue
        answered.append(outcome)
        table.add(outcome)
        line = f"{on_one_line(str(image.path))}  {outcome.summary}"
        print(json.dumps({"file": str(image.path), **outcome.raw}) if as_json else line, flush=True)
    rejected.print_others()
    return answered, rejected


def _asking(opened: Session, given: argparse.Namespace) -> Callable[[Path], dict[str, Any]]:
    """Return how the endpoint is asked: directly, or through S3 if it is asynchronous."""
    described = endpoints.described(opened, given.endpoint)
    configuration = opened.send(ENDPOINT_CONFIG.call("Describe", described["EndpointConfigName"]))
    if output := configuration.get("AsyncInferenceConfig", {}).get("OutputConfig"):
        folder = s3.parse(output["S3OutputPath"]).below("requests")
        return lambda image: endpoints.invoke_through_s3(opened, given.endpoint, image, given.accept, folder)
    return lambda image: endpoints.invoke(opened, given.endpoint, image, given.accept, given.target_model)
