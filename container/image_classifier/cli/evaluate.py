"""`scripts/evaluate`: judge a model on labelled images, without training, and write the report of a job."""

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from rich.progress import Progress

from image_classifier import archives, model_layout, own_files
from image_classifier.class_folders import channel_scan, manifest_scan, manifests
from image_classifier.class_folders.problems import raise_all
from image_classifier.cli import argument_types
from image_classifier.cli.predictions import image_files
from image_classifier.cli.terminal import command, consoles, os_errors, report_page, typed_paths
from image_classifier.contract import names, report_files
from image_classifier.contract.errors import ExplainedError, UserError
from image_classifier.evaluation import judgement, report_folder, verdict
from image_classifier.evaluation.evidence import TRAINING, VALIDATION
from image_classifier.evaluation.judgement import Evaluation
from image_classifier.inference import labelled_images
from image_classifier.inference.engines import EngineOptions
from image_classifier.inference.labelled_images import LabelledImages
from image_classifier.inference.predictor import Predictor
from image_classifier.runners import local_server

WRITER = "evaluate"
"""Marks the folders that this command may write into again."""
OCCLUSION_SECONDS = 60.0
_SHOWN = 10


def run(model: Path, images: Path, output: Path, thumbnails: bool = True, trust: bool = False) -> str:
    """Judge the model on a folder of class folders, write the report into `output`, and return the verdict.

    Args:
        model: A model folder or an archive of one, in the layout of this program or of the built-in algorithm, or the
            folder of a local job.
        images: Its folders are classes of the model, or it has a manifest, or it is that file.
        output: A new or empty folder, or one that this command wrote.
        thumbnails: Whether the report shows images.
        trust: Whether the SavedModel may contain any operation.

    Raises:
        UserError: The model cannot be used, a folder is not a class of it, no image is readable, or `output` holds
            other files.
        OSError: The report cannot be written.
    """
    images = manifests.folder_of(images, "--images")
    reject_foreign(output, images)
    given = local_server.model_of(model)
    known = archives.existing_model(given)
    with tempfile.TemporaryDirectory(prefix="evaluate-") as scratch:
        folder = archives.materialise(known, Path(scratch) / "model")
        try:
            evaluation = _evaluate(model_layout.root(folder), images, trust)
        except UserError as error:
            raise UserError(str(error).replace(str(folder), str(given))) from error
    output.mkdir(parents=True, exist_ok=True)
    own_files.mark(output, WRITER)
    if reason := report_folder.write(evaluation, output, thumbnails):
        consoles.announce(f"No {report_files.EVIDENCE}, so the console cannot open this result: {reason}.")
    if skipped := evaluation.evidence.skipped:
        consoles.print_text(
            consoles.output(),
            f"Skipped {len(skipped):,} unreadable image(s), listed in {report_files.ISSUES}; the first is "
            f"{names.on_one_line(skipped[0][0])}: {skipped[0][1]}",
        )
    return verdict.conclude(evaluation).text


def _evaluate(folder: Path, images: Path, trust: bool) -> Evaluation:
    predictor = Predictor.load(folder, trust, EngineOptions(single_compilation=True))
    if predictor.warning:
        consoles.print_text(consoles.output(), predictor.warning)
    labelled = labelled_folder(images, predictor.labels)
    hidden = not consoles.is_interactive()
    with Progress(console=consoles.output(), transient=True, disable=hidden) as bar:
        task = bar.add_task("Classifying", total=len(labelled.files))
        found = labelled_images.evidence(predictor, folder, labelled, lambda count: bar.advance(task, count))
    return judgement.evaluate(
        found,
        labelled_images.network(predictor.engine, predictor.info),
        known_images=predictor.familiarity,
        occlusion_seconds=OCCLUSION_SECONDS,
    )


def labelled_folder(folder: Path, class_names: Sequence[str]) -> LabelledImages:
    """Return the images of a folder by its manifest, or by its sub-folders, which are classes.

    Names are compared in Unicode's composed form. Of a manifest with splits the test images are returned, or those of
    validation where it has none.

    Raises:
        UserError: The folder holds no image, a label is not a class, or the manifest has a mistake.
    """
    if not folder.is_dir():
        raise UserError(f"--images {folder} is not a folder. Give a folder with one folder for each class.")
    index = {names.normalised(name): number for number, name in enumerate(class_names)}
    if by_manifest := _by_manifest(folder, index):
        return by_manifest
    found = image_files.find([folder])
    if unknown := sorted({str(one.folder_name) for one in found} - set(index)):
        raise UserError(_unknown_folders(folder, unknown, class_names, any(one.path.parent == folder for one in found)))
    labels = np.array([index[str(one.folder_name)] for one in found], np.int64)
    return LabelledImages(_shown_name(folder), folder, tuple(_below(one.path, folder) for one in found), labels)


def _shown_name(folder: Path) -> str:
    """Return a folder's name for the report: in quotes if it is that of a split, which the report knows more about."""
    name = names.on_one_line(folder.name) or "images"
    return f'"{name}"' if name in (TRAINING, VALIDATION) else name


def _unknown_folders(folder: Path, unknown: Sequence[str], class_names: Sequence[str], has_loose_images: bool) -> str:
    classes = f"These are {names.listed(class_names, _SHOWN)}."
    own_name = names.normalised(folder.resolve().name)
    if has_loose_images and own_name in unknown:
        return (
            f"--images {folder} has images outside of class folders, and {own_name} is not a class of the model. "
            f"{classes} Move the images into folders with these names."
        )
    by_likeness = {names.look_alike(name): name for name in class_names}
    renamed = [f"{name} to {by_likeness[key]}" for name in unknown if (key := names.look_alike(name)) in by_likeness]
    remedy = f"Rename {names.listed(renamed, _SHOWN)}" if renamed else "Name the folders after them"
    return (
        f"--images {folder} has images in {names.listed(unknown, _SHOWN)}, which are not classes of the model. "
        f"{classes} {remedy}, or leave the others out."
    )


def _by_manifest(folder: Path, index: Mapping[str, int]) -> LabelledImages | None:
    scan = channel_scan.scan(folder, "test")
    if not scan.manifest:
        return None
    raise_all(scan.problems)
    listing = scan.listing
    if unknown := sorted(set(listing.class_names) - set(index)):
        raise UserError(
            f"--images {folder / scan.manifest} has the labels {names.listed(unknown, _SHOWN)}, which are not classes "
            f"of the model. These are {names.listed(list(index), _SHOWN)}. Correct them, or leave these lines out."
        )
    split, judged = manifest_scan.held_out(listing)
    of_split = f" of the split {split}, not the other lines" if split else ""
    consoles.print_text(consoles.output(), f"Judging {len(judged):,} images of {scan.manifest}{of_split}.")
    labels = np.array([index[listing.class_names[example.label]] for example in judged], np.int64)
    return LabelledImages(_shown_name(folder), folder, tuple(map(listing.name, judged)), labels)


def reject_foreign(output: Path, images: Path) -> None:
    """Check that the report may be written into a folder, before anything is computed.

    Raises:
        UserError: It lies in the folder of the images, or holds what this command did not write.
    """
    if own_files.overlap(images, output):
        raise UserError(f"--output {output} overlaps with --images {images}. Give another folder for the report.")
    own_files.reject_foreign_folder(output, "--output", WRITER)


def beside(model: Path) -> Path:
    """Return the default folder of the report, beside the model."""
    whole = model.absolute()
    name = whole.name.removesuffix(".gz").removesuffix(".tar")
    return Path(typed_paths.shortest(whole.with_name(f"{name}-evaluation")))


def _below(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def main(words: Sequence[str] | None = None) -> int:
    """Run `scripts/evaluate`."""
    parser = argparse.ArgumentParser(
        prog="scripts/evaluate",
        description="Judge a model on labelled images: report.html, evaluation.json, model_card.json, issues.csv and "
        "evidence.npz.",
        epilog="examples:\n  scripts/evaluate run/job --images photos/held-out\n"
        "  scripts/evaluate model.tar.gz --images photos --output run/judged --open",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "model", type=argument_types.some_path, metavar="MODEL", help="a model folder, a model.tar.gz, or a local job"
    )
    parser.add_argument(
        "--images",
        type=argument_types.some_path,
        required=True,
        metavar="DIR",
        help="labelled images: one sub-folder per class, or a manifest",
    )
    parser.add_argument(
        "--output",
        type=argument_types.some_path,
        metavar="DIR",
        help="folder for the report; default: MODEL-evaluation, beside the model",
    )
    parser.add_argument("--no-thumbnails", action="store_true", help="leave image content out of the report")
    parser.add_argument("--open", action="store_true", help="open the report in a browser")
    parser.add_argument(
        "--trust-model", action="store_true", help="accept a model with operations that reach files or Python"
    )
    given = parser.parse_args(words)
    output = given.output or beside(given.model)
    try:
        found = run(given.model, given.images, output, not given.no_thumbnails, given.trust_model)
    except ExplainedError as error:
        return consoles.report_and_exit_code(error)
    except OSError as error:
        return consoles.report_and_exit_code(os_errors.explained(error, output))
    for line in report_page.lines(found, str(output)):
        consoles.print_text(consoles.output(), line)
    if given.open:
        consoles.print_text(consoles.output(), report_page.show(output / report_files.REPORT))
    return 0


if __name__ == "__main__":
    sys.exit(command.run(main))
