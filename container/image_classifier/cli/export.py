"""`scripts/export`: convert a model to LiteRT for phones, and compare it with the original."""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from image_classifier import archives, durable_files, model_layout, own_files
from image_classifier.cli import argument_types
from image_classifier.cli.predictions import image_files
from image_classifier.cli.terminal import command, consoles, litert_summary, os_errors, typed_paths
from image_classifier.contract.errors import ExplainedError, UserError
from image_classifier.inference.litert_model import exchange, export, judgement
from image_classifier.inference.litert_model.exchange import FLOAT16, FLOAT32, INT8, INT8_WEIGHTS, Converted, Request
from image_classifier.inference.litert_model.export import GivenImage
from image_classifier.inference.litert_model.judgement import Judgement
from image_classifier.runners import local_server

SUFFIX, LABELS_SUFFIX = ".tflite", ".labels.txt"
_REMEDIES = {
    INT8: "Try --precision int8-weights or float16, or other images, or use --accept-loss",
    INT8_WEIGHTS: "Try --precision float16, or use --accept-loss",
    FLOAT16: "Try --precision float32, or use --accept-loss",
}


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the user asked for."""

    model: Path
    """A model folder or an archive of one, or the folder of a local job."""
    output: Path
    precision: str
    images: Path | None = None
    """Images in any folders; those of class folders also tell the accuracy."""
    overwrite: bool = False
    accept_loss: bool = False
    """Write the file also where its predictions are too far from the model's."""
    trust: bool = False
    """Whether the SavedModel may contain any operation."""


def run(options: Options) -> Judgement:
    """Convert, compare, write the LiteRT file and its labels, and print what an app needs to know.

    Raises:
        ExplainedError: The model or the images cannot be used, the network cannot be converted, the result is too far
            from the model, or a file exists.
        OSError: The result cannot be written.
    """
    output, labels = options.output, labels_file(options.output)
    for path in (output, labels):
        _reject_existing(path, options.overwrite)
    calibration, verification = export.split(_images(options.images), options.precision)
    given = local_server.model_of(options.model)
    model = archives.existing_model(given)
    with tempfile.TemporaryDirectory(prefix="export-") as scratch:
        folder = archives.materialise(model, Path(scratch) / "model")
        request = Request(
            model=str(model_layout.root(folder)),
            precision=options.precision,
            trust=options.trust,
            calibration=tuple(str(image.path) for image in calibration),
            verification=tuple(str(image.path) for image in verification),
        )
        work = Path(scratch) / "conversion"
        work.mkdir()
        consoles.announce(f"Converting {given} to LiteRT ({options.precision}).")
        try:
            converted = export.convert(request, work)
        except ExplainedError as error:
            raise type(error)(str(error).replace(str(folder), str(given))) from error
        _announce(converted, calibration, str(folder), str(given))
        judged = _judge(options, converted, verification)
        text = labels_text(converted.class_names)
        output.parent.mkdir(parents=True, exist_ok=True)
        durable_files.write_bytes(labels, text.encode())
        durable_files.write_bytes(output, exchange.file_of(work).read_bytes())
    _report(options, converted, judged)
    return judged


def labels_file(output: Path) -> Path:
    """Return the file of the labels beside a LiteRT file."""
    return output.with_name(output.name.removesuffix(SUFFIX) + LABELS_SUFFIX)


def beside(model: Path, precision: str) -> Path:
    """Return the default file beside the model."""
    whole = model.absolute()
    name = whole.name.removesuffix(".gz").removesuffix(".tar")
    kind = "" if precision == FLOAT32 else f"-{precision}"
    return Path(typed_paths.shortest(whole.with_name(f"{name}{kind}{SUFFIX}")))


def labels_text(class_names: Sequence[str]) -> str:
    """Return the content of the labels file: a class name a line, in index order.

    Raises:
        UserError: A name has a line break.
    """
    broken = [name for name in class_names if len(name.splitlines()) > 1]
    if broken:
        raise UserError(
            f"The class name {broken[0]!r} has a line break, which a file of labels, one a line, cannot hold. Rename "
            "it in the model's labels_info.json."
        )
    return "".join(f"{name}\n" for name in class_names)


def _reject_existing(path: Path, overwrite: bool) -> None:
    if path.is_symlink() or path.is_dir():
        kind = "a link" if path.is_symlink() else "a folder"
        raise UserError(f"--output: {path} is {kind}. Give the name of a new file.")
    if path.exists() and not overwrite:
        raise UserError(f"--output: {path} exists. Give another name, or --overwrite to replace it.")
    if reason := own_files.unwritable(path.parent):
        raise UserError(f"--output: {path} cannot be written: {reason}. Give a file in a folder of yours.")


def _images(folder: Path | None) -> list[GivenImage]:
    if folder is None:
        return []
    if not folder.is_dir():
        raise UserError(f"--images {folder} is not a folder. Give a folder with images, in class folders if possible.")
    return [GivenImage(found.path, str(found.folder_name)) for found in image_files.find([folder])]


def _announce(converted: Converted, calibration: Sequence[GivenImage], folder: str, given: str) -> None:
    if converted.warning:
        consoles.announce(converted.warning.replace(folder, given))
    if converted.skipped:
        path, reason = next(iter(converted.skipped.items()))
        consoles.announce(f"WARNING: {len(converted.skipped)} images were skipped. The first, {path}: {reason}.")
    if calibration:
        consoles.announce(f"{len(calibration)} images set the ranges; others are used for the comparison.")


def _judge(options: Options, converted: Converted, verification: Sequence[GivenImage]) -> Judgement:
    names = [verification[row].folder_name for row in converted.rows] if verification else []
    labels = judgement.labels_of(names, converted.class_names) if names else None
    judged = judgement.judge(options.precision, converted.expected, converted.found, labels, not verification)
    if judged.objection and not options.accept_loss:
        remedy = _REMEDIES.get(options.precision, "TensorFlow's converter fails on this network. Use --accept-loss")
        raise UserError(
            f"{options.output} was not written, since it is not good enough: {judged.objection}. "
            f"{litert_summary.figures(judged, str(options.images))} {remedy} to write it nevertheless."
        )
    return judged


def _report(options: Options, converted: Converted, judged: Judgement) -> None:
    output, labels = options.output, labels_file(options.output)
    consoles.announce(
        f"Wrote {output} ({output.stat().st_size / 1e6:.1f} MB, {options.precision}) and {labels} "
        f"({len(converted.class_names)} classes)."
    )
    if judged.objection:
        consoles.announce(f"WARNING: written as asked for, although {judged.objection}.")
    consoles.announce(litert_summary.figures(judged, str(options.images)))
    if doubt := litert_summary.doubt(judged):
        consoles.announce(doubt)
    for line in litert_summary.contract(converted, labels):
        print(line)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/export",
        description=__doc__,
        epilog="examples:\n  scripts/export run/job --to litert\n"
        "  scripts/export model.tar.gz --to litert --precision int8 --images photos --output flowers.tflite",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "model", type=argument_types.some_path, metavar="MODEL", help="a model folder, a model.tar.gz, or a local job"
    )
    parser.add_argument("--to", choices=("litert",), required=True, help="the format: litert, a .tflite file")
    parser.add_argument(
        "--precision",
        choices=exchange.PRECISIONS,
        default=FLOAT32,
        help="float32 (default), float16 (half the size), int8-weights (a quarter), or int8 (a quarter, integer "
        "activations too; needs --images)",
    )
    parser.add_argument(
        "--images",
        type=argument_types.some_path,
        metavar="DIR",
        help="images to compare on, in class folders if possible; else synthetic",
    )
    parser.add_argument(
        "--output", type=argument_types.some_path, metavar="FILE", help="a .tflite file; default: beside the model"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace the file and its labels if they exist")
    parser.add_argument(
        "--accept-loss", action="store_true", help="write the file also if its predictions differ too much"
    )
    parser.add_argument(
        "--trust-model", action="store_true", help="accept a model with operations that reach files or Python"
    )
    return parser


def main(words: Sequence[str] | None = None) -> int:
    """Run `scripts/export`."""
    parser = _parser()
    given = parser.parse_args(words)
    output = given.output or beside(given.model, given.precision)
    if output.suffix != SUFFIX:
        parser.error(f"--output {output}: the name must end with {SUFFIX}")
    if given.precision == INT8 and given.images is None:
        parser.error("--precision int8 needs --images DIR: images like those it will classify set the ranges")
    options = Options(
        model=given.model,
        output=output,
        precision=given.precision,
        images=given.images,
        overwrite=given.overwrite,
        accept_loss=given.accept_loss,
        trust=given.trust_model,
    )
    try:
        run(options)
    except ExplainedError as error:
        return consoles.report_and_exit_code(error)
    except OSError as error:
        return consoles.report_and_exit_code(os_errors.explained(error, output))
    return 0


if __name__ == "__main__":
    sys.exit(command.run(main))
