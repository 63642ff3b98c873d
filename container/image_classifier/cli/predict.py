"""`scripts/predict`: classify images with a running server; lines, JSON, or accuracy where folders are classes."""

import argparse
import contextlib
import json
import sys
import urllib.parse
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from rich.progress import track

from image_classifier import archives
from image_classifier.cli import argument_types
from image_classifier.cli.predictions import answers, asking, csv_table, explaining, image_files, outcomes, scoring
from image_classifier.cli.predictions.answers import Answer
from image_classifier.cli.predictions.image_files import ImageFile
from image_classifier.cli.predictions.rejections import Rejections
from image_classifier.cli.terminal import command, consoles
from image_classifier.contract.errors import ExplainedError, UserError
from image_classifier.contract.names import on_one_line
from image_classifier.contract.payload_types import EVERY_CLASS
from image_classifier.runners import local_server

URL = "http://127.0.0.1:8080/invocations"
BEST_THREE = f"{EVERY_CLASS};n_predictions=3"
LISTED = 20
"""Up to so many images of folders get a line each on a terminal; of more, only so many wrong answers are listed."""


def _explain(images: Sequence[ImageFile], url: str, output: Path | None) -> None:
    """Print the prediction for an image and what its explanation was checked with; write the map over the image."""
    if len(images) > 1:
        raise UserError(f"--explain takes one image, not {len(images):,}. Name one file.")
    (image,) = images
    target = explaining.output_for(image.path, output)
    raw = asking.ask(image.path, url, explaining.ACCEPT, asking.EXPLANATION_TIMEOUT)
    found = explaining.map_of(raw, url)
    explaining.write(image.path, found, target)
    print(f"{_shown(image)}  {Answer.of(image, raw).summary}")
    print(explaining.sentence(found, raw["labels"][found.class_index]))
    print(f"Written: {on_one_line(str(target))}")


@contextlib.contextmanager
def _address(model: Path | None, url: str) -> Iterator[str]:
    """Yield `url`, or the address of a server of `model` that ends with the block.

    Raises:
        UserError: The model does not exist, or cannot be served.
        PlatformError: The server does not start for another reason.
    """
    if model is None:
        yield url
        return
    archives.existing_model(model)
    port = local_server.free_port()
    with local_server.serving(model, port, quiet=True):
        yield f"http://127.0.0.1:{port}/invocations"


def _show(
    images: Sequence[ImageFile],
    found: Iterator[Answer | ExplainedError],
    as_json: bool,
    keep: Callable[[Answer], None],
) -> tuple[list[Answer], int]:
    """Print and keep predictions as they arrive; return them, and the exit code for the images that have none."""
    answered: list[Answer] = []
    rejected = Rejections()
    width = max((len(_shown(image)) for image in images), default=0)
    summarised = len(images) > LISTED and consoles.is_interactive() and not as_json
    if summarised:
        found = iter(track(found, "Classifying", len(images), console=consoles.output(), transient=True))
    for image, outcome in zip(images, found, strict=True):
        if isinstance(outcome, ExplainedError):
            rejected.add(image, outcome)
            continue
        answered.append(outcome)
        keep(outcome)
        if as_json:
            print(json.dumps({"file": str(image.path), **outcome.raw}), flush=True)
        elif not summarised:
            print(f"{_shown(image):<{width}}  {outcome.summary}", flush=True)
    rejected.print_others()
    return answered, rejected.exit_code


def _shown(image: ImageFile) -> str:
    return on_one_line(str(image.path))


def _print_score(found: Sequence[Answer], summarised: bool, has_every_class: bool) -> None:
    scored, console = answers.score(found), consoles.output()
    if has_every_class and (note := answers.uncounted(found)):
        console.print()
        consoles.print_text(console, note)
    if scored is None:
        return
    console.print()
    for table in scoring.tables(scored):
        console.print(table)
    if summarised:
        wrong = [one for one in found if one.is_wrong]
        for answer in wrong[:LISTED]:
            console.print(f"{_shown(answer.image)}  {answer.summary}")
        if len(wrong) > LISTED:
            console.print(f"… and {len(wrong) - LISTED:,} more wrong answers; --csv FILE lists every image.")
    console.print(scoring.headline(scored), style="bold")


def _address_of(text: str) -> str:
    """Return the address of /invocations of a server that a user names, such as `http://127.0.0.1:8080`."""
    mistake = argparse.ArgumentTypeError(f"is {text!r}; give an address such as {URL}")
    try:
        parts = urllib.parse.urlsplit(text)
        is_address = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError as error:
        raise mistake from error
    if not is_address or any(character.isspace() for character in text):
        raise mistake
    return text if parts.path.strip("/") else parts._replace(path=urllib.parse.urlsplit(URL).path).geturl()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `scripts/predict`."""
    parser = argparse.ArgumentParser(
        prog="scripts/predict",
        description="Classify images with a running server; class folders, or a manifest, give the accuracy.",
        epilog="examples:\n  scripts/predict run/data/solar/held-out --csv answers.csv\n"
        "  scripts/predict photo.jpg --model run/job --explain\n\n" + outcomes.EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("images", type=argument_types.some_path, nargs="+", metavar="IMAGE_OR_FOLDER")
    server = parser.add_mutually_exclusive_group()
    server.add_argument("--url", type=_address_of, default=URL, help=f"default: {URL}")
    server.add_argument(
        "--model",
        type=argument_types.some_path,
        metavar="MODEL",
        help="start a server of this job or model for this command only",
    )
    parser.add_argument("--accept", metavar="TYPE", help=f"default: {BEST_THREE}; {EVERY_CLASS} with --json or folders")
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object per line: the file and the server's answer"
    )
    parser.add_argument(
        "--csv", type=argument_types.some_path, metavar="FILE", help="a new file with a row for each image"
    )
    parser.add_argument(
        "--resume", action="store_true", help="ask about the images that an interrupted command left out of --csv"
    )
    parser.add_argument(
        "--explain", action="store_true", help="write an image that marks the parts that the prediction rests on"
    )
    parser.add_argument(
        "--output",
        type=argument_types.some_path,
        metavar="PNG",
        help="where --explain writes it; default: IMAGE-explained.png in the current folder",
    )
    parser.add_argument("--docker", action="store_true", help="run it in the Docker image, for macOS and Windows")
    given = parser.parse_args(arguments)
    try:
        csv_table.check(given.csv, given.resume)
        images = image_files.find(given.images, _on_standard_error)
        with _address(given.model, given.url) as url:
            if given.explain:
                _explain(images, url, given.output)
                return 0
            return _classify(images, url, given)
    except ExplainedError as error:
        consoles.report_and_exit_code(error)
        return outcomes.exit_code(error)


def _on_standard_error(text: str) -> None:
    # Standard output may be for programs.
    consoles.print_text(consoles.errors(), text)


def _classify(images: Sequence[ImageFile], url: str, given: argparse.Namespace) -> int:
    has_folders = any(image.folder_name for image in images)
    accept = given.accept or (EVERY_CLASS if given.json or has_folders else BEST_THREE)
    with csv_table.writing(given.csv, images, given.resume) as table:
        if note := csv_table.resumed(table):
            _on_standard_error(note)
        images = table.images
        found, code = _show(images, asking.predict(images, url, accept), given.json, table.add)
        table.is_complete = code != outcomes.OF_THE_SERVER
    if has_folders and not given.json:
        summarised = len(images) > LISTED and consoles.is_interactive()
        _print_score(found, summarised, has_every_class=accept == EVERY_CLASS)
    return code


if __name__ == "__main__":
    sys.exit(command.run(main))
