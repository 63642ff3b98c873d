"""`scripts/convert-model`: add a verified OpenVINO IR to a model, or replace its IR."""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from image_classifier import archives, artifacts, imaging, model_layout, own_files
from image_classifier.artifacts import ModelInfo
from image_classifier.contract.errors import ExplainedError, PlatformError, UserError, first_line, report_and_exit_code
from image_classifier.imaging import ImageRejected
from image_classifier.inference.layout import check_layout
from image_classifier.inference.openvino_model import conversion, ir_record
from image_classifier.inference.openvino_model.conversion import ComparisonImages, NotConverted
from image_classifier.inference.openvino_model.ir_record import Record
from image_classifier.untrusted_models import assumptions

SEED = 0


def convert_model(artefact: Path, images: Path | None, trust: bool = False) -> Record:
    """Add the IR to a model folder, or to an archive of one, which is replaced when everything has succeeded.

    Args:
        artefact: A model folder or a .tar.gz of one.
        images: A folder of images to compare the engines on, in any subfolders; None for synthetic ones.
        trust: Whether the SavedModel may contain any operation, see `untrusted_models`.

    Raises:
        UserError: The model cannot be used or converted, has an IR of another program, or the folder has no images.
        OSError: It cannot be written.
    """
    # The target of a link is converted; the link is kept.
    artefact = artefact.resolve()
    with tempfile.TemporaryDirectory(prefix="convert-") as scratch:
        folder = archives.materialise(artefact, Path(scratch) / "model")
        try:
            for note in model_layout.notes(folder):
                print(note.replace(str(folder), str(artefact)), flush=True)
            record = _convert_folder(folder, images, trust)
        except UserError as error:
            # The folder into which the archive was unpacked is removed when this is read.
            raise UserError(str(error).replace(str(folder), str(artefact))) from error
        if folder != artefact:
            archives.pack(folder, artefact)
        return record


def _convert_folder(folder: Path, images: Path | None, trust: bool) -> Record:
    folder = model_layout.root(folder)
    check_layout(folder)
    info, warning = assumptions.complete(folder, artifacts.read_model_info(folder))
    if warning:
        print(warning, flush=True)
    _reject_foreign_ir(folder, info)
    sample = comparison_images(images, info) if images else conversion.synthetic_images(info, SEED)
    try:
        record = conversion.convert(folder, info, sample, trust)
    except NotConverted as failure:
        raise UserError(f"{folder} gets no OpenVINO IR: {failure}. TensorFlow still serves it.") from failure
    artifacts.write_model_info(folder, ir_record.with_record(info, record))
    return record


def _reject_foreign_ir(folder: Path, info: ModelInfo) -> None:
    target = ir_record.folder_of(folder)
    own_files.reject_other_kind(target)
    others = sorted({path.name for path in target.glob("*")} - {*artifacts.OPENVINO_FILES})
    recorded = ir_record.KEY in info.extra
    if target.is_dir() and (others or not recorded):
        reason = f"holds {', '.join(others[:5])}" if others else "is not in the model info"
        raise UserError(
            f"{target} {reason}, so this program did not write it and does not replace it. Move it away, and convert "
            "again."
        )


def comparison_images(images: Path, info: ModelInfo) -> ComparisonImages:
    """Return the pixels of some images below a folder, chosen by `SEED`.

    Raises:
        UserError: None of its files is an image.
    """
    files = sorted(path for path in images.rglob("*") if path.is_file())
    found: list[NDArray[np.uint8]] = []
    for index in np.random.default_rng(SEED).permutation(len(files)):
        if len(found) == conversion.IMAGES:
            break
        try:
            content, version = files[index].read_bytes(), info.imaging_version
            found.append(imaging.load_pixels(content, info.image_size, info.resize_method, version=version))
        except ImageRejected:
            continue
    if not found:
        raise UserError(f"{images} holds no image among {len(files)} files. Give another folder, or leave it out.")
    return ComparisonImages(np.stack(found), synthetic=False)


def main(words: Sequence[str] | None = None) -> int:
    """Run the command; return the process's exit code."""
    parser = argparse.ArgumentParser(
        prog="scripts/convert-model",
        description=__doc__,
        epilog="examples:\n  scripts/convert-model run/job/model\n  scripts/convert-model model.tar.gz --images photos",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "artefact", type=Path, metavar="ARTEFACT", help="a model folder or a model.tar.gz; changed in place"
    )
    parser.add_argument(
        "--images", type=Path, metavar="DIR", help="images like those that it will classify; else synthetic ones"
    )
    parser.add_argument(
        "--trust-model", action="store_true", help="accept any operation in it, file and Python operations included"
    )
    given = parser.parse_args(words)
    try:
        record = convert_model(given.artefact, given.images, given.trust_model)
    except ExplainedError as error:
        return report_and_exit_code(error)
    except OSError as error:
        return report_and_exit_code(
            PlatformError(f"{given.artefact} is unchanged, since it cannot be written: {first_line(error)}.")
        )
    kind = "synthetic images (--images DIR takes real ones)" if record.synthetic else f"images of {given.images}"
    print(
        f"{given.artefact} has an OpenVINO IR now. On {record.images} {kind} its probabilities differ from "
        f"TensorFlow's by at most {record.largest_difference:.7f}; in {record.close_answers} borderline cases the "
        f"class differs. {record.seconds:.1f} s."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
