"""`scripts/stage-backbone`: write the archive of the `model` channel to a file or to S3."""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from image_classifier import archives, artifacts
from image_classifier.cli import argument_types
from image_classifier.cli.terminal import command, consoles
from image_classifier.cloud import s3
from image_classifier.cloud.s3 import Access, S3Storage
from image_classifier.contract.errors import ExplainedError, UserError
from image_classifier.model_hub import staging
from image_classifier.model_hub.converters.table import PACKAGED_BACKBONES
from image_classifier.model_hub.jumpstart import Bucket
from image_classifier.model_hub.sources import ORIGINS, Origin
from image_classifier.model_hub.staging import Options

_WRITER = "scripts/stage-backbone"
"""Recorded with objects in S3; only objects with this record are replaced."""


def stage(source: str, output: str, options: Options) -> int:
    """Stage a backbone to a file or an object in S3 and return the size of the archive in bytes.

    Raises:
        ExplainedError: See `staging.stage`; the name is not that of a gzipped tar; or the object exists and another
            program wrote it.
    """
    if not output.startswith("s3://"):
        # A folder has a sentence of its own.
        if not (archives.is_gzipped_tar(Path(output)) or Path(output).is_dir()):
            raise UserError(
                f"--output {output} does not end in .tar.gz or .tgz, as the archive of a model channel does. Give such "
                "a name."
            )
        return staging.stage(source, Path(output), options).stat().st_size
    location = s3.parse(output)
    storage = S3Storage(Access(options.origin.bucket.access.region))
    if storage.written_by(location) not in (None, _WRITER):
        raise UserError(
            f"--output {location} exists and is not a staged backbone that this program wrote, so it is not replaced. "
            "Name a new key, or remove that object."
        )
    with tempfile.TemporaryDirectory(prefix="staging-") as scratch:
        archive = staging.stage(source, Path(scratch) / "model.tar.gz", options)
        storage.put(archive, location, _WRITER)
        return archive.stat().st_size


def _image_size(text: str) -> tuple[int, int]:
    sides = text.lower().split("x")
    if len(sides) > 2 or not all(side.isdecimal() and 1 <= int(side) <= artifacts.LARGEST_SIDE for side in sides):
        raise argparse.ArgumentTypeError(
            f"got {text!r}; expected pixels from 1 to {artifacts.LARGEST_SIDE}, one number such as 224 or height and "
            "width such as 224x160"
        )
    return int(sides[0]), int(sides[-1])


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command's arguments."""
    found = argparse.ArgumentParser(
        prog="scripts/stage-backbone",
        description="Make the model channel's archive.",
        epilog="examples:\n  scripts/stage-backbone lite0 --output run/lite0.tar.gz\n"
        "  scripts/stage-backbone lite0 --with-head --output run/imagenet.tar.gz",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    known = "; ".join(f"{name}: {conversion.description}" for name, conversion in PACKAGED_BACKBONES.items())
    found.add_argument(
        "source",
        type=argument_types.some_text,
        help="a model_id of the catalogue (scripts/models lists them), an https:// handle, s3://BUCKET/KEY, DIR, TAR. "
        f"From packages: {known}",
    )
    found.add_argument("--output", type=argument_types.some_text, required=True, metavar="TAR|s3://BUCKET/KEY")
    found.add_argument(
        "--with-head", action="store_true", help="keep the classification head, to serve it without fine-tuning"
    )
    found.add_argument(
        "--image-size", type=_image_size, metavar="N|HxW", help="pixels (default: its model info's, or 224)"
    )
    found.add_argument("--pixel-scaling", choices=artifacts.PIXEL_SCALING_METHODS, help="default: its model info's")
    where = found.add_argument_group("where a model of the catalogue comes from")
    where.add_argument(
        "--from",
        dest="origin",
        choices=ORIGINS,
        help="default: its package if it has one, else TFHUB_CACHE_DIR, else TensorFlow Hub; JumpStart only when asked",
    )
    where.add_argument(
        "--mirror", metavar="DIR|ADDRESS", help="a folder of models, or a server that answers as TensorFlow Hub does"
    )
    where.add_argument("--sha256", metavar="HEX", help="what the downloaded archive must have")
    where.add_argument("--bucket", metavar="NAME", help="JumpStart's (default: jumpstart-cache-prod-REGION)")
    where.add_argument("--region", metavar="R", help="of JumpStart's bucket (default: us-east-1)")
    where.add_argument("--anonymous", action="store_true", help="ask S3 without credentials")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `scripts/stage-backbone`."""
    given = parser().parse_args(arguments)
    bucket = Bucket(given.bucket, Access(given.region, given.anonymous))
    origin = Origin(given.origin, given.mirror, given.sha256, bucket)
    options = Options(given.with_head, given.image_size, given.pixel_scaling, origin=origin)
    try:
        size = stage(given.source, given.output, options)
    except ExplainedError as error:
        return consoles.report_and_exit_code(error)
    print(f"{given.output}: {size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(command.run(main))
