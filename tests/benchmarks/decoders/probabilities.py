"""What the newest version of `imaging` changes in a model's probabilities, against the first one."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from image_classifier import imaging
from image_classifier.contract.imaging_versions import VERSIONS
from image_classifier.inference.engines import EngineOptions
from image_classifier.inference.openvino_model import agreement
from image_classifier.inference.predictor import Predictor
from tests.benchmarks.serving import markdown

HEADER = markdown.head("model, images", "levels that differ", "median |Δp|", "95 %", "largest", "other top-1")


def row(model: Path, images: Path, most: int) -> str:
    """Return a row of Markdown for a model folder with an OpenVINO IR and at most `most` images of a folder.

    Raises:
        ValueError: The folder has no image.
    """
    predictor = Predictor.load(model, options=EngineOptions("openvino"))
    files = [path for path in sorted(images.rglob("*")) if path.is_file()]
    chosen = [files[index * len(files) // most] for index in range(most)] if len(files) > most else files
    levels, changes, others = _compare(predictor, [path.read_bytes() for path in chosen])
    found = [np.median(changes), np.quantile(changes, 0.95), changes.max()]
    name = f"{predictor.info.model_id or model.name}, {len(changes)} images of {images.name}"
    return markdown.line(name, f"{100 * levels:.2f} %", *(f"{value:.4f}" for value in found), str(others))


def _compare(predictor: Predictor, contents: Sequence[bytes]) -> tuple[float, np.ndarray, int]:
    """Return the share of levels that differ, the largest |Δp| of each image, (n,), and the changed predictions."""
    info, first, last = predictor.info, [], []
    for content in contents:
        try:
            pixels = [imaging.load_pixels(content, info.image_size, info.resize_method, version=v) for v in VERSIONS]
        except imaging.ImageRejected:
            continue
        first.append(pixels[0])
        last.append(pixels[-1])
    if not first:
        raise ValueError(f"none of {len(contents)} files is an image")
    before, after = (
        agreement.two_columns(predictor.engine.probabilities(np.stack(pixels))) for pixels in (first, last)
    )
    share = float((np.stack(first) != np.stack(last)).mean())
    others = int((before.argmax(axis=1) != after.argmax(axis=1)).sum())
    return share, np.abs(before - after).max(axis=1), others
