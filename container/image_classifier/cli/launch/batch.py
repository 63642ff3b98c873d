"""`scripts/launch batch`: classify a folder or an S3 prefix of images once, without an endpoint."""

import argparse
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from image_classifier.cli import argument_types
from image_classifier.cli.launch import arguments, models, printing
from image_classifier.cli.launch.models import ServedModel
from image_classifier.cli.predictions import csv_table, image_files
from image_classifier.cli.predictions.answers import Answer
from image_classifier.cli.predictions.image_files import ImageFile
from image_classifier.cloud import s3, uploads
from image_classifier.cloud.s3 import Access, Location, S3Storage
from image_classifier.cloud.sagemaker import batch, calls, names, places, session, waiting
from image_classifier.cloud.sagemaker.batch import Batch
from image_classifier.cloud.sagemaker.kinds import TRANSFORM_JOB
from image_classifier.cloud.sagemaker.session import Session
from image_classifier.cloud.uploads import Manifest
from image_classifier.contract.errors import PlatformError, UserError, first_line
from image_classifier.contract.json_objects import type_of
from image_classifier.contract.payload_types import EVERY_CLASS
from image_classifier.imaging import FORMATS
from image_classifier.runners import experiment

SUMMARY = "classify a folder or an S3 prefix of images once, without an endpoint"
EXAMPLES = (
    "examples:\n  scripts/launch batch run/flowers photos --csv answers.csv\n"
    "  scripts/launch batch run/flowers s3://my-bucket/new --csv answers.csv"
)
_OF_THE_JOB = ("image", "serve_image", "role", "location", "region", "profile", "network_isolation", "kms_key", "tags")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the verb."""
    parser.add_argument(
        "model",
        type=argument_types.some_text,
        metavar="JOB_OR_MODEL",
        help="a job's folder, a model folder or archive, s3://...",
    )
    parser.add_argument(
        "images", type=argument_types.some_text, metavar="DIR", help="a folder of images, or an s3:// URI"
    )
    parser.add_argument(
        "--csv",
        type=argument_types.some_path,
        required=True,
        metavar="FILE",
        help="a new file with a row for each image",
    )
    arguments.add_dry_run(parser)
    arguments.add_declared(parser, batch.DECLARATIONS, "the job")
    arguments.add_options(parser, _OF_THE_JOB)


def run(given: argparse.Namespace) -> int:
    """Run the verb and return the exit code."""
    csv_table.check(given.csv, resume=None)
    how = batch.parse(arguments.given_options(given, batch.DECLARATIONS))
    served = models.find(given.model, arguments.given_options(given))
    opened = session.open_session(served.options.region, served.options.profile)
    storage = served.options.storage(opened.region)
    access = S3Storage(Access(region=opened.region, profile=served.options.profile or None))
    manifest = None if experiment.is_s3(given.images) else _images_of(Path(given.images))
    images = uploads.location_of(manifest, storage) if manifest else s3.parse(given.images)
    found = Batch(
        name=names.unique(served.experiment),
        experiment=served.experiment,
        artefact=served.artefact(storage),
        image=served.image(),
        images=images,
        storage=storage,
        accept=EVERY_CLASS,
        options=served.options,
        how=how,
    )
    requests = batch.requests(found)
    calls.validate(requests)
    if given.dry_run:
        printing.json_document([*_uploads(served, given.images, manifest, storage), *(c.as_json() for c in requests)])
        return 0
    places.check(access, opened.region, storage, {} if manifest else {"DIR": f"{images.uri.rstrip('/')}/"})
    served.bring(storage, None)
    if manifest:
        uploads.upload_folder(access, Path(given.images), manifest, storage, lambda done, total: None)
    _classify(opened, requests, found)
    way_on = f"All answers are in S3: aws s3 cp --recursive {found.answers.uri} FOLDER"
    with csv_table.writing(given.csv, resume=None, way_on=way_on) as table:
        for answer in _answers(access, found, given.images):
            table.add(answer)
    printing.line(f"Classified {table.rows:,} images: {given.csv}   answers: {found.answers.uri}")
    return 0


def _uploads(served: ServedModel, typed: str, manifest: Manifest | None, storage: Location) -> list[dict[str, Any]]:
    """Return what a dry run prints for the uploads of the model and the images; without those that lie in S3."""
    found = [served.upload_as_json(storage)]
    if manifest:
        to = uploads.location_of(manifest, storage).uri
        parameters = {"from": typed, "to": to, "files": len(manifest.files), "bytes": manifest.size}
        found.append({"service": "s3", "operation": "PutObject", "parameters": parameters})
    return [each for each in found if each]


def _images_of(folder: Path) -> Manifest:
    """Return the images below a folder: any other file, such as a table beside them, would fail the job."""
    if not folder.is_dir():
        raise UserError(f"DIR {folder} is not a folder. Give a folder of images, or their s3:// address.")
    if not any(image_files.is_image(path) for path in folder.rglob("*") if path.is_file()):
        raise UserError(f"DIR {folder} holds no image. Expected files of {', '.join(FORMATS)}, in any folder below it.")
    return uploads.manifest_of(folder, image_files.is_image)


def _classify(opened: Session, requests: list[calls.Call], found: Batch) -> None:
    model, job, cleaning = requests
    opened.send(model)
    try:
        opened.send(job)
        waiting.until_completed(opened, TRANSFORM_JOB, found.name, batch.LOG_GROUP, printing.line)
    finally:
        opened.find(cleaning)


def _answers(access: S3Storage, found: Batch, typed: str) -> Iterator[Answer]:
    """Yield the answers with the names of their images, as the user typed the folder."""
    with tempfile.TemporaryDirectory() as scratch:
        target = Path(scratch) / "answer"
        for entry in access.list(found.answers):
            if entry.name.endswith(batch.SUFFIX):
                name = entry.name.removesuffix(batch.SUFFIX)
                access.download(found.answers.below(entry.name), target)
                folder = name.split("/")[0] if "/" in name else None
                yield Answer.of(ImageFile(Path(typed) / name, folder), _object(target, name))


def _object(file: Path, name: str) -> dict[str, Any]:
    try:
        found = json.loads(file.read_bytes())
    except ValueError as error:
        raise PlatformError(f"The answer for {name} is not JSON: {first_line(error)}.") from error
    if not isinstance(found, dict):
        raise PlatformError(f"The answer for {name} is {type_of(found)}, not an object.")
    return found
