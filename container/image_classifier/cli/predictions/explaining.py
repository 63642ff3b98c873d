"""The explanation in a server's answer: in a sentence, and as a map over the image."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from image_classifier import imaging
from image_classifier.contract.errors import PlatformError, UserError
from image_classifier.evaluation import occlusion
from image_classifier.evaluation.occlusion import OcclusionMap
from image_classifier.imaging import ImageRejected

ACCEPT = "application/json;verbose;explain"
LONGEST_SIDE = 1024
"""Of the image that the map is drawn over, in pixels."""
_SUFFIX = "-explained.png"


def map_of(answer: Mapping[str, Any], url: str) -> OcclusionMap:
    """Read the map of an answer to `ACCEPT`.

    Raises:
        PlatformError: The answer has none, or one of another form.
    """
    try:
        found = answer["explanation"]
        drops = np.array(found["drops"], np.float32)
        if drops.ndim != 2 or not np.isfinite(drops).all():
            raise ValueError("not a table of numbers")
        return OcclusionMap(
            class_index=answer["labels"].index(found["label"]),
            probability=float(found["probability"]),
            drops=drops,
            drop_top=float(found["drop_top"]),
            drop_random=float(found["drop_random"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise PlatformError(
            f"The server at {url} answers without an explanation. Start one of this version with scripts/serve-locally."
        ) from error


def sentence(found: OcclusionMap, label: str) -> str:
    """Return what the map was checked with."""
    if not found.reliable:
        return (
            f"Not reliable: covering the 20 % that the map marks lowers {label} by {found.drop_top:.2f}, no more than "
            f"covering as much at random ({found.drop_random:.2f})."
        )
    return (
        f"Covering the 20 % that the map marks lowers {label} by {found.drop_top:.2f}, a random 20 % by "
        f"{found.drop_random:.2f}."
    )


def output_for(image: Path, given: Path | None) -> Path:
    """Return the file to write: the given one, or one named after the image in the current folder.

    Raises:
        UserError: It exists already.
    """
    output = given or Path(f"{image.stem}{_SUFFIX}")
    if output.exists() or output.is_symlink():
        raise UserError(f"--output {output} exists already. Name a new file.")
    return output


def write(image: Path, found: OcclusionMap, output: Path) -> None:
    """Write the image with the map over it as a new PNG file.

    Raises:
        UserError: The image cannot be decoded, or the file cannot be written.
    """
    try:
        header = imaging.read_header(image.read_bytes())
        size = imaging.reduced_size(imaging.upright_size(header), LONGEST_SIDE)
        pixels = imaging.decode(header, size, "bilinear")
    except (OSError, ImageRejected) as error:
        raise UserError(f"{image} cannot be drawn: {error}") from error
    content = io.BytesIO()
    Image.fromarray(occlusion.overlay(pixels, found)).save(content, "PNG")
    try:
        with output.open("xb") as file:
            file.write(content.getvalue())
    except FileExistsError as error:
        raise UserError(f"--output {output} exists already. Name a new file.") from error
    except OSError as error:
        raise UserError(f"--output {output} cannot be written: {error.strerror}. Name a file elsewhere.") from error
