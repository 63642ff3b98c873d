"""A user's images for a conversion: those to compare both engines on, those that quantise, and those of the gate."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from image_classifier.artifacts import ModelInfo
from image_classifier.contract.errors import UserError, cause
from image_classifier.evaluation import stratified
from image_classifier.imaging import ImageRejected
from image_classifier.inference.labelled_images import LabelledImages
from image_classifier.inference.openvino_model import conversion, nncf_network, precision_gate, quantisation
from image_classifier.inference.openvino_model.conversion import ComparisonImages
from image_classifier.inference.openvino_model.quantisation import QuantisationImages

SEED = 0
LEAST_STATISTICS = 20
"""Images for the ranges of int8 beside those of its gate."""


@dataclass(frozen=True)
class GivenImages:
    """Decoded images of a user."""

    images: QuantisationImages
    skipped: Mapping[str, str]
    """Files that are not readable, and why, without a full stop."""


def to_compare(images: Path, info: ModelInfo) -> ComparisonImages:
    """Return the pixels of some images below a folder, chosen by `SEED`; files that are not readable are skipped.

    Raises:
        UserError: None of its files is an image.
    """
    files = sorted(path for path in images.rglob("*") if path.is_file())
    found: list[NDArray[np.uint8]] = []
    for index in np.random.default_rng(SEED).permutation(len(files)):
        if len(found) == conversion.IMAGES:
            break
        pixels = _pixels(files[index], info)
        if not isinstance(pixels, str):
            found.append(pixels)
    if not found:
        raise UserError(f"{images} holds no image among {len(files)} files. Give another folder, or leave it out.")
    return ComparisonImages(np.stack(found), synthetic=False)


def check_count(images: Path, count: int) -> None:
    """Check that a folder of so many images is enough for a quantisation.

    Raises:
        UserError: It is not.
    """
    least = precision_gate.LEAST_IMAGES + LEAST_STATISTICS
    if count < least:
        raise UserError(
            f"--images {images} has {count} images, and --quantize takes at least {least}: "
            f"{precision_gate.LEAST_IMAGES} for the gate, and others for the ranges. Give more images."
        )


def to_quantise(labelled: LabelledImages, info: ModelInfo) -> GivenImages:
    """Hold out up to half of the images for the gate, stratified; the same ones each time. The others set the ranges.

    Raises:
        UserError: Too few of those for the gate are readable, or none of the others.
    """
    order, total = stratified.by_class(labelled.labels, SEED), len(labelled.files)
    count = max(precision_gate.LEAST_IMAGES, min(quantisation.GATE_IMAGES, total // 2))
    gate = order[stratified.evenly_spaced(total, count)]
    # In the order of the classes, so that equal spacing keeps their shares.
    rest = order[~np.isin(order, gate)]
    statistics = rest[stratified.evenly_spaced(len(rest), min(nncf_network.STATISTICS_IMAGES, len(rest)))]
    skipped: dict[str, str] = {}
    judged, set_ranges = (_decoded(labelled, rows, info, skipped) for rows in (gate, statistics))
    for purpose, found, least, chosen in (
        ("its gate", judged, precision_gate.LEAST_IMAGES, gate),
        ("the ranges of int8", set_ranges, 1, statistics),
    ):
        if len(found) < least:
            name, reason = next(iter(skipped.items()))
            raise UserError(
                f"Only {len(found)} of the {len(chosen)} images of {labelled.folder} for {purpose} are readable, and "
                f"it takes at least {least}; the first of the others, {name}: {reason}. Replace them, or give more "
                "images."
            )
    pixels, labels = np.stack(list(judged.values())), labelled.labels[list(judged)]
    return GivenImages(QuantisationImages(np.stack(list(set_ranges.values())), pixels, labels), skipped)


def _decoded(
    labelled: LabelledImages, rows: NDArray[np.int64], info: ModelInfo, skipped: dict[str, str]
) -> dict[int, NDArray[np.uint8]]:
    """Return the pixels by row; `skipped` receives the files without."""
    found: dict[int, NDArray[np.uint8]] = {}
    for row in rows.tolist():
        pixels = _pixels(labelled.folder / labelled.files[row], info)
        if isinstance(pixels, str):
            skipped[labelled.files[row]] = pixels
        else:
            found[row] = pixels
    return found


def _pixels(path: Path, info: ModelInfo) -> NDArray[np.uint8] | str:
    """Return the pixels of an image file, or why it cannot be read, without a full stop."""
    try:
        return info.load_pixels(path.read_bytes())
    except (OSError, ImageRejected) as error:
        return cause(error)
