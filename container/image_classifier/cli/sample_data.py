"""`scripts/sample-data`: fetch sample photographs into a folder or to S3."""

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from image_classifier import PROGRAM, own_files
from image_classifier.cli import argument_types
from image_classifier.cli.terminal import command, consoles
from image_classifier.cloud import s3
from image_classifier.cloud.s3 import Access, S3Storage
from image_classifier.contract.errors import ExplainedError, UserError, report_and_exit_code
from image_classifier.model_hub.jumpstart import Bucket
from image_classifier.photographs import flowers, sample_sets


def run(name: str, to: str, divided: bool, bucket: Bucket | None) -> str:
    """Fetch a data set and return one line with its place and counts; `bucket`: the flowers come from JumpStart's.

    Raises:
        ExplainedError: Unknown data set, its source does not answer, or `to` cannot be written.
    """
    sample = sample_sets.find(name)
    if bucket and name != "flowers":
        raise UserError(f"JumpStart's bucket has the flowers, not {name}. Leave --from out.")
    writer: Callable[[Path], None] = partial(flowers.write_from_bucket, bucket=bucket) if bucket else sample.write
    if not to.startswith("s3://"):
        folder = Path(to)
        if folder.is_symlink():
            raise UserError(f"--to {to} is a link, which is not followed. Name a new folder.")
        if reason := own_files.unwritable(folder.parent):
            raise UserError(f"--to {to} cannot be written: {reason}. Name a folder of yours.")
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise UserError(f"--to {to} exists and is not empty. Name a new folder.")
        sample_sets.write(sample, folder, writer, divided, consoles.announce)
        return _summary(folder, to)
    location = s3.parse(to)
    storage = S3Storage(Access())
    if next(iter(storage.list(location)), None):
        raise UserError(f"--to {to} exists and is not empty. Name a new key.")
    with tempfile.TemporaryDirectory(prefix="sample-data-") as scratch:
        folder = sample_sets.write(sample, Path(scratch) / "data", writer, divided, consoles.announce)
        storage.put_folder(folder, location)
        return _summary(folder, to)


def _summary(folder: Path, to: str) -> str:
    images = [path for path in folder.rglob("*") if path.is_file()]
    counts = {name: sum(path.parent.name == name for path in images) for name in {p.parent.name for p in images}}
    return f"{to}: {len(images):,} images ({', '.join(f'{name} {counts[name]:,}' for name in sorted(counts))})"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `scripts/sample-data`."""
    names = "; ".join(f"{name}: {sample.description}" for name, sample in sample_sets.SAMPLES.items())
    parser = argparse.ArgumentParser(
        prog="scripts/sample-data",
        description="Fetch photographs and lay them out as class folders.",
        epilog=f"{names}\n\nexamples:\n  scripts/sample-data solar\n"
        "  scripts/sample-data stamps --to photos --hold-out",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", metavar="|".join(sample_sets.SAMPLES))
    parser.add_argument(
        "--to", type=argument_types.some_text, metavar="DIR|s3://BUCKET/KEY/", help="default: run/data/NAME"
    )
    parser.add_argument("--hold-out", action="store_true", help="write train/ and held-out/, a fifth of each class")
    parser.add_argument(
        "--from",
        dest="origin",
        choices=("jumpstart",),
        help="the flowers from JumpStart's bucket, not TensorFlow's server",
    )
    parser.add_argument("--bucket", metavar="NAME", help="JumpStart's (default: jumpstart-cache-prod-REGION)")
    parser.add_argument("--region", metavar="R", help="of JumpStart's bucket (default: us-east-1)")
    parser.add_argument("--anonymous", action="store_true", help="access JumpStart's bucket without credentials")
    given = parser.parse_args(arguments)
    bucket = Bucket(given.bucket, Access(given.region, given.anonymous)) if given.origin else None
    try:
        print(run(given.name, given.to or str(PROGRAM.parent / "run" / "data" / given.name), given.hold_out, bucket))
    except (ExplainedError, OSError) as error:
        return report_and_exit_code(error)
    return 0


if __name__ == "__main__":
    sys.exit(command.run(main))
