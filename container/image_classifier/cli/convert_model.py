"""`scripts/convert-model`: add a verified OpenVINO IR to a model, or replace its IR; also one in int8."""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from image_classifier import archives, artifacts, model_layout, own_files
from image_classifier.artifacts import ModelInfo
from image_classifier.cli import argument_types
from image_classifier.cli.terminal import command, os_errors
from image_classifier.contract.errors import ExplainedError, UserError, report_and_exit_code
from image_classifier.inference import predictor
from image_classifier.inference.layout import check_layout
from image_classifier.inference.openvino_model import (
    bf16,
    conversion,
    given_images,
    ir_record,
    nncf_network,
    precision_gate,
    precision_record,
    quantisation,
)
from image_classifier.inference.openvino_model.conversion import NotConverted
from image_classifier.inference.openvino_model.ir_record import Record
from image_classifier.inference.openvino_model.precision_record import BF16, INT8, Gated
from image_classifier.inference.openvino_model.quantisation import QuantisationImages, TimeLimits
from image_classifier.untrusted_models import assumptions

_COMMAND = "scripts/convert-model"
_LIMITS = TimeLimits(another_rung=900.0, whole=3600.0)


@dataclass(frozen=True)
class Converted:
    """What the command added to a model."""

    record: Record
    info: ModelInfo
    """With all records."""


def convert_model(artefact: Path, images: Path | None, trust: bool = False, quantize: bool = False) -> Converted:
    """Add the IR to a model folder, or to an archive of one, which is replaced when everything has succeeded.

    Args:
        artefact: A model folder or a .tar.gz of one.
        images: A folder of images to compare the engines on, in any subfolders; None for synthetic ones.
        trust: Whether the SavedModel may contain any operation, see `untrusted_models`.
        quantize: Whether to add an int8 IR too, for which `images` has one folder for each class.

    Raises:
        UserError: The model cannot be used or converted, is being converted by another process, has an IR of another
            program, or the folder has no images, or with `quantize` too few of its classes.
        OSError: It cannot be written.
    """
    artefact = archives.existing_model(artefact)
    changed = model_layout.root(artefact)
    with own_files.changed_alone(changed, _COMMAND), tempfile.TemporaryDirectory(prefix="convert-") as scratch:
        folder = archives.materialise(artefact, Path(scratch) / "model")
        try:
            for note in model_layout.notes(folder):
                print(note.replace(str(folder), str(artefact)), flush=True)
            converted = _convert_folder(folder, images, trust, quantize)
        except UserError as error:
            # The folder into which the archive was unpacked is removed when this is read.
            raise UserError(str(error).replace(str(folder), str(artefact))) from error
        if folder != artefact:
            archives.pack(folder, artefact)
        return converted


def _convert_folder(folder: Path, images: Path | None, trust: bool, quantize: bool) -> Converted:
    folder = model_layout.root(folder)
    check_layout(folder)
    info, warning = assumptions.complete(folder, artifacts.read_model_info(folder))
    if warning:
        print(warning, flush=True)
    for target, recorded in _targets(folder, info):
        _reject_foreign_ir(target, recorded)
    chosen = _quantisation_images(images, folder, info) if quantize and images else None
    try:
        info, record = with_network(folder, info, images, trust)
    except NotConverted as failure:
        raise UserError(f"{folder} gets no OpenVINO IR: {failure}. TensorFlow still serves it.") from failure
    info = _without_stale(folder, info, record)
    artifacts.write_model_info(folder, info)
    return Converted(record, _with_lower_precisions(folder, info, chosen) if chosen else info)


def _with_lower_precisions(folder: Path, info: ModelInfo, images: QuantisationImages) -> ModelInfo:
    float32 = quantisation.float32_answers(folder, info, images.gate)
    assert float32 is not None
    images = replace(images, float32=lambda: float32, labels=_of_outputs(images.labels, folder, info, float32.shape[1]))
    info = quantisation.with_result(folder, info, images, _LIMITS)
    # The files are replaced already, and an interrupt while bf16 is judged must not leave them without their record.
    artifacts.write_model_info(folder, info)
    info = bf16.with_result(folder, info, images)
    artifacts.write_model_info(folder, info)
    return info


def _of_outputs(labels: NDArray[np.int64], folder: Path, info: ModelInfo, outputs: int) -> NDArray[np.int64]:
    """Return true classes as indices of the network's outputs, given those of the label file, which may name more."""
    names = artifacts.read_labels(folder)
    dropped = len(names) - len(predictor.labels_of_outputs(names, info, outputs, folder))
    if (labels < dropped).any():
        raise UserError(f"--images has images of {names[0]}, of which {folder} has no output. Leave them out.")
    return labels - dropped


def with_network(folder: Path, info: ModelInfo, images: Path | None, trust: bool) -> tuple[ModelInfo, Record]:
    """Write the float32 IR of a model folder; return the model info with its record, not yet written, and the record.

    Args:
        folder: The model folder.
        info: Its model info.
        images: A folder of images to compare the engines on; None for synthetic ones.
        trust: Whether the SavedModel may contain any operation.

    Raises:
        NotConverted: There cannot be an IR; the text says why.
        UserError: None of the files in `images` is an image.
    """
    sample = given_images.to_compare(images, info) if images else conversion.synthetic_images(info, given_images.SEED)
    record = conversion.convert(folder, info, sample, trust)
    return ir_record.with_record(info, record), record


def _targets(folder: Path, info: ModelInfo) -> tuple[tuple[Path, bool], ...]:
    """Return the folders that the command replaces, and whether the model info records each."""
    precisions = info.extra.get(precision_record.KEY)
    has_int8 = isinstance(precisions, dict) and INT8 in precisions
    return (
        (ir_record.folder_of(folder), ir_record.KEY in info.extra),
        (precision_record.folder_of(folder), has_int8),
    )


def _without_stale(folder: Path, info: ModelInfo, record: Record) -> ModelInfo:
    """Remove the int8 IR if its record is invalid, or of another float32 IR than the new one, and such records."""
    for precision, read in ((INT8, precision_record.read_int8), (BF16, precision_record.read_bf16)):
        try:
            found: Gated | None = read(folder, info)
            if found is None or not precision_record.is_stale(found, record):
                continue
            why = "which was made of another float32 IR"
        except UserError:
            why = "whose record in the model info is invalid"
        info = precision_record.without(info, precision)
        if precision == INT8:
            own_files.remove_folder(precision_record.folder_of(folder))
            print(f"Removed the int8 IR, {why}.", flush=True)
    return info


def _quantisation_images(images: Path, folder: Path, info: ModelInfo) -> QuantisationImages:
    # It imports what draws on terminals, which a plain conversion does without.
    from image_classifier.cli import evaluate

    if not nncf_network.is_installed():
        raise UserError(
            "--quantize needs NNCF, which is not installed here. Run it in the environment of scripts/setup, or in the "
            "cpu target of the Docker image."
        )
    labelled = evaluate.labelled_folder(images, artifacts.read_labels(folder))
    given_images.check_count(images, len(labelled.files))
    found = given_images.to_quantise(labelled, info)
    if found.skipped:
        name, reason = next(iter(found.skipped.items()))
        print(f"Skipped {len(found.skipped)} unreadable image(s); the first is {name}: {reason}.", flush=True)
    return found.images


def _reject_foreign_ir(target: Path, recorded: bool) -> None:
    own_files.reject_other_kind(target)
    others = sorted({path.name for path in target.glob("*")} - {*artifacts.OPENVINO_FILES})
    if target.is_dir() and (others or not recorded):
        reason = f"holds {', '.join(others[:5])}" if others else "is not in the model info"
        raise UserError(
            f"{target} {reason}, so this program did not write it and does not replace it. Move it away, and convert "
            "again."
        )


def main(words: Sequence[str] | None = None) -> int:
    """Run the command; return the process's exit code."""
    parser = argparse.ArgumentParser(
        prog=_COMMAND,
        description=__doc__,
        epilog="examples:\n  scripts/convert-model run/job/model\n"
        "  scripts/convert-model model.tar.gz --images photos --quantize",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "artefact",
        type=argument_types.some_path,
        metavar="ARTEFACT",
        help="a model folder or a model.tar.gz; changed in place",
    )
    parser.add_argument(
        "--images",
        type=argument_types.some_path,
        metavar="DIR",
        help="images like those that it will classify; else synthetic ones",
    )
    parser.add_argument(
        "--trust-model", action="store_true", help="accept any operation in it, file and Python operations included"
    )
    parser.add_argument(
        "--quantize",
        action="store_true",
        help="also add an int8 IR, if it passes the gate; takes --images with one folder for each class, of which up "
        "to half judge and up to 300 others quantise it",
    )
    given = parser.parse_args(words)
    if given.quantize and not given.images:
        parser.error("--quantize needs --images DIR with one folder for each class")
    try:
        converted = convert_model(given.artefact, given.images, given.trust_model, given.quantize)
    except ExplainedError as error:
        return report_and_exit_code(error)
    except OSError as error:
        # In a folder networks are replaced one after the other.
        return report_and_exit_code(os_errors.explained(error, given.artefact, not given.artefact.is_dir()))
    record = converted.record
    kind = "synthetic images (--images DIR takes real ones)" if record.synthetic else f"images of {given.images}"
    print(
        f"{given.artefact} has an OpenVINO IR now. On {record.images} {kind} its probabilities differ from "
        f"TensorFlow's by at most {record.largest_difference:.7f}; in {record.close_answers} borderline cases the "
        f"class differs. {record.seconds:.1f} s."
    )
    return _print_precisions(converted.info) if given.quantize else 0


def _print_precisions(info: ModelInfo) -> int:
    half = precision_record.read_bf16(Path(), info)
    judged = precision_gate.sentence(half.gate) if half else f"left out, {precision_record.left_out(info, BF16)}"
    reason = precision_record.left_out(info, INT8)
    if reason is not None:
        print(f"No int8 IR: {reason}. The float32 one serves it; bf16: {judged}.", file=sys.stderr)
        return 1
    found = precision_record.recorded_int8(info)
    assert found
    print(f"It also has an int8 IR: {precision_gate.sentence(found.gate)}. {found.steps[-1]}, {found.seconds:.1f} s.")
    print(f"bf16: {judged}.")
    return 0


if __name__ == "__main__":
    sys.exit(command.run(main))
