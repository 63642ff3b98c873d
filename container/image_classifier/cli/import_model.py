"""`scripts/import-model`: make a model folder of ours from an artefact of the built-in algorithm, and compare both."""

import argparse
import io
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from image_classifier import archives, artifact_checksums, artifacts, durable_files, model_layout, own_files
from image_classifier.artifacts import ModelInfo
from image_classifier.cli import argument_types, convert_model
from image_classifier.cli.predictions import image_files
from image_classifier.cli.terminal import command, consoles, import_summary, os_errors
from image_classifier.cli.terminal.import_summary import AnswerComparison, Imported
from image_classifier.contract.errors import ExplainedError, UserError
from image_classifier.inference.engines import EngineOptions
from image_classifier.inference.layout import check_layout
from image_classifier.inference.openvino_model import agreement, conversion, given_images, ir_record
from image_classifier.inference.openvino_model.conversion import NotConverted
from image_classifier.inference.prediction import Prediction
from image_classifier.inference.predictor import BACKGROUND, Predictor
from image_classifier.model_hub import sources
from image_classifier.model_hub.sources import Origin
from image_classifier.runners import local_server
from image_classifier.untrusted_models import assumptions

IMAGES = 100
"""Number of images on which the answers are compared."""
_SYNTHETIC_SIZE = (360, 480)
"""Height and width: not the model's, so that resizing is compared too."""


def import_model(source: str, output: Path, images: Path | None, trust: bool = False) -> Imported:
    """Write the model of an artefact into a new folder; the artefact is only read.

    Args:
        source: A folder or an archive in the layout of the built-in algorithm, or the s3:// or https:// address of one.
        output: A new or empty folder.
        images: Images to compare the answers on, in any sub-folders; None for synthetic ones.
        trust: Whether the SavedModel may contain any operation, see `untrusted_models`.

    Raises:
        ExplainedError: The artefact cannot be fetched or used, is a backbone, or `output` holds files.
        OSError: The folder cannot be written.
    """
    _reject_output(output)
    if "://" not in source and own_files.overlap(output, Path(source)):
        raise UserError(f"--output {output} is inside the artefact {source}, which is only read. Give another folder.")
    if images is not None and not images.is_dir():
        raise UserError(f"--images {images} is not a folder. Give a folder of images like those that clients send.")
    with tempfile.TemporaryDirectory(prefix="import-") as scratch:
        given = source if "://" in source else str(local_server.model_of(Path(source)))
        fetched = sources.of_text(given, Origin(), Path(scratch))
        if fetched is None:
            raise UserError(
                f"ARTEFACT {source} does not exist. Expected a folder or a .tar.gz that the built-in algorithm left, "
                "or its s3:// or https:// address."
            )
        # The folder into which an archive was unpacked is removed when a message is read.
        unpacked = str(fetched.folder) if fetched.folder.is_relative_to(scratch) else source
        try:
            archives.reject_unreadable(fetched.folder)
            for note in model_layout.notes(fetched.folder):
                consoles.announce(note.replace(unpacked, source))
            return _import(model_layout.root(fetched.folder), fetched.source, output, images, trust)
        except UserError as error:
            raise UserError(str(error).replace(unpacked, source)) from error


def _reject_output(output: Path) -> None:
    own_files.reject_other_kind(output)
    if output.is_dir() and not own_files.is_empty(output):
        raise UserError(f"--output {output} is not empty. Nothing was changed: give a new folder.")
    if reason := own_files.unwritable(output):
        raise UserError(f"--output {output} cannot be written: {reason}. Give a folder of yours.")


def _import(folder: Path, source: str, output: Path, images: Path | None, trust: bool) -> Imported:
    _check(folder)
    info, warning = assumptions.complete(folder, artifacts.read_model_info(folder))
    if warning:
        consoles.announce(warning)
    labels = artifacts.read_labels(folder)
    files, synthetic = _image_files(images, info)
    partial = output.absolute().with_name(f".{output.absolute().name}.partial-{os.getpid()}")
    partial.parent.mkdir(parents=True, exist_ok=True)
    partial.mkdir()
    try:
        info = _copy(folder, partial, replace(info, source=source), labels)
        reason = _add_network(partial, info, images, trust)
        predictor = Predictor.load(partial, trust, EngineOptions(single_compilation=True))
        answers = _compared(partial, info, predictor, files, synthetic, trust)
        size = _size(partial)
        own_files.remove_empty(output)
        durable_files.rename_folder(partial, output)
    except UserError as error:
        raise UserError(str(error).replace(str(partial), str(folder))) from error
    finally:
        own_files.remove_folder(partial)
    background = BACKGROUND if len(predictor.labels) < len(labels) else ""
    return Imported(predictor.labels, background, info, predictor.engine.name, reason, answers, _size(folder), size)


def _check(folder: Path) -> None:
    if not any((folder / name).is_file() for name in (artifacts.LABELS_FILE, artifacts.CLASS_INDEX_FILE)):
        artifacts.saved_model_folder(folder)
        raise UserError(
            f"{folder} has no label file. If it is a backbone (JumpStart's artefact for training), there is nothing to "
            f"import: give it to scripts/train-locally --model. If it is a classifier, add {artifacts.LABELS_FILE}: "
            '{"labels": ["first class", "second class"]}, in index order.'
        )
    check_layout(folder)


def _copy(folder: Path, target: Path, info: ModelInfo, labels: Sequence[str]) -> ModelInfo:
    saved_model = artifacts.saved_model_folder(folder)
    artifact_checksums.undamaged_sha256(saved_model, info, f"The model in {folder}")
    copy = target / artifacts.SAVED_MODEL_DIR
    for path in artifacts.model_files(saved_model):
        to = copy / path.relative_to(saved_model)
        # The folder itself may hold other versions below; links are checked before anything is loaded.
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, to, follow_symlinks=False)
    artifacts.write_labels(target, labels)
    info = replace(info, sha256=artifact_checksums.folder_sha256(copy))
    artifacts.write_model_info(target, info)
    return info


def _add_network(folder: Path, info: ModelInfo, images: Path | None, trust: bool) -> str | None:
    """Add the OpenVINO IR; returns the reason if there cannot be one."""
    reason = None
    try:
        info, _ = convert_model.with_network(folder, info, images, trust)
    except NotConverted as failure:
        reason = str(failure)
        info = ir_record.with_reason(info, reason)
    artifacts.write_model_info(folder, info)
    return reason


def _image_files(images: Path | None, info: ModelInfo) -> tuple[list[bytes], bool]:
    """Return the contents of image files, and whether they are synthetic."""
    if images is None:
        made = conversion.synthetic_images(replace(info, image_size=_SYNTHETIC_SIZE)).pixels
        return list(map(_jpeg, made)), True
    found = image_files.find([images])
    order = np.random.default_rng(given_images.SEED).permutation(len(found))[:IMAGES]
    return [found[index].path.read_bytes() for index in sorted(order)], False


def _jpeg(pixels: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=90)
    return file.getvalue()


def _compared(
    folder: Path, info: ModelInfo, predictor: Predictor, files: Sequence[bytes], synthetic: bool, trust: bool
) -> AnswerComparison | None:
    from image_classifier.inference.engines import tensorflow

    before = tensorflow.answers_to_encoded(tensorflow.load_engine(folder, info, trust=trust), info, folder, files)
    if before is None:
        return None
    after = predictor.predict_each(files)
    both = [
        (old, new.probabilities)
        for old, new in zip(before, after, strict=True)
        if old is not None and isinstance(new, Prediction)
    ]
    if not both:
        raise UserError("No image could be read both by the artefact and here, so nothing was compared.")
    old, new = (agreement.two_columns(np.stack(part)) for part in zip(*both, strict=True))
    difference = np.abs(old - new).max(axis=1)
    return AnswerComparison(
        images=len(both),
        same_class=int((old.argmax(axis=1) == new.argmax(axis=1)).sum()),
        median_difference=float(np.median(difference)),
        largest_difference=float(difference.max()),
        left_out=len(files) - len(both),
        synthetic=synthetic,
    )


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in artifacts.model_files(folder))


def main(words: Sequence[str] | None = None) -> int:
    """Run the command; return the process's exit code."""
    parser = argparse.ArgumentParser(
        prog="scripts/import-model",
        description="Make a model folder of ours from an artefact of the built-in algorithm, and compare both.",
        epilog="examples:\n  scripts/import-model model.tar.gz --output run/imported\n"
        "  scripts/import-model s3://my-bucket/job/output/model.tar.gz --output run/imported --images photos",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "artefact",
        type=argument_types.some_text,
        metavar="ARTEFACT",
        help="a folder, a model.tar.gz or an s3:// address; only read",
    )
    parser.add_argument("--output", type=argument_types.some_path, required=True, metavar="DIR", help="a new folder")
    parser.add_argument(
        "--images",
        type=argument_types.some_path,
        metavar="DIR",
        help="images like those that it classifies; else synthetic ones",
    )
    parser.add_argument(
        "--trust-model", action="store_true", help="accept any operation in it, file and Python operations included"
    )
    given = parser.parse_args(words)
    try:
        found = import_model(given.artefact, given.output, given.images, given.trust_model)
    except ExplainedError as error:
        return consoles.report_and_exit_code(error)
    except OSError as error:
        return consoles.report_and_exit_code(os_errors.explained(error, given.output))
    consoles.output().print(import_summary.table(found))
    for line in import_summary.lines(found, str(given.output)):
        consoles.announce(line)
    return 0


if __name__ == "__main__":
    sys.exit(command.run(main))
