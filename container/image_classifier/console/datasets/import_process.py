"""The process of an import: `python -m image_classifier.console.datasets.import_process FOLDER HOME ID`."""

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from image_classifier import own_files
from image_classifier.console import tasks
from image_classifier.console.datasets import imports, zip_files
from image_classifier.console.datasets.imports import CONTENT, Import
from image_classifier.console.datasets.known import Source
from image_classifier.console.tasks import CancelledError, Reporter
from image_classifier.contract.errors import UserError
from image_classifier.model_hub import download_s3
from image_classifier.photographs import sample_sets


def main(arguments: Sequence[str]) -> int:
    """Run the import and return the exit code."""
    folder, home, id_ = Path(arguments[0]), Path(arguments[1]), arguments[2]
    return tasks.run(folder, lambda reporter: _work(folder, home, id_, reporter))


def _work(folder: Path, home: Path, id_: str, reporter: Reporter) -> None:
    found = imports.find(home, id_)
    if found is None:
        raise UserError("This import does not exist any more.")
    try:
        _fetch(folder, home, found.what, reporter)
    except CancelledError:
        shutil.rmtree(folder / CONTENT, ignore_errors=True)
        raise
    reporter.begin("Finishing")
    imports.finish(home, found.what)


def _fetch(folder: Path, home: Path, what: Import, reporter: Reporter) -> None:
    if what.source is Source.UPLOAD:
        imports.unpack(home, what, reporter)
    elif what.source is Source.S3:
        reporter.begin("Listing the folder")
        download_s3.fetch_images(
            what.origin,
            folder / CONTENT,
            zip_files.MOST_FILES,
            lambda done, total: reporter.report("Downloading", done, total),
        )
    else:
        _fetch_sample(folder, what.origin, reporter)


def _fetch_sample(folder: Path, name: str, reporter: Reporter) -> None:
    sample = sample_sets.find(name)
    scratch, content = folder / "scratch", folder / CONTENT
    # What an interrupted process left; samples are fetched as a whole.
    for path in (scratch, content):
        own_files.remove_folder(path)
    print(sample.announcement, flush=True)
    reporter.begin("Fetching the package")
    sample.write(scratch)
    reporter.begin("Dividing into training and test")
    sample_sets.hold_out(scratch, content)
    (content / own_files.MARKER).unlink()
    own_files.remove_folder(scratch)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
