"""A model's predictions for labelled images, in the form that `evaluation` judges."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from image_classifier import artifacts
from image_classifier.artifacts import ModelInfo
from image_classifier.contract.errors import UserError
from image_classifier.evaluation import calibration, network_forms
from image_classifier.evaluation.evidence import Evidence, Split, from_parent
from image_classifier.evaluation.probes import Network
from image_classifier.imaging import ImageRejected
from image_classifier.inference.engines.engine import Engine
from image_classifier.inference.openvino_model import agreement
from image_classifier.inference.prediction import Prediction
from image_classifier.inference.predictor import Predictor
from image_classifier.resources.processors import available_processors

AT_ONCE = 8
"""Images that a thread reads and classifies at a time."""


@dataclass(frozen=True)
class LabelledImages:
    """Image files and the class of each."""

    name: str
    """For the report, such as the folder's."""
    folder: Path
    files: tuple[str, ...]
    """Paths below `folder`."""
    labels: NDArray[np.int64]
    """Class indices (n,)."""


def evidence(
    predictor: Predictor, model: Path, images: LabelledImages, done: Callable[[int], None] = lambda count: None
) -> Evidence:
    """Classify the images, on all CPUs, and return what is known about the model by them.

    `model` is the model's folder; `done` receives the number of images of each finished step. Images that cannot be
    read or decoded are skipped.

    Raises:
        UserError: None of the images can be read.
    """
    starts = range(0, len(images.files), AT_ONCE)
    rows: list[int] = []
    predictions: list[Prediction] = []
    skipped: list[tuple[str, str]] = []
    with ThreadPoolExecutor(available_processors()) as pool:
        for start, found in zip(starts, pool.map(lambda start: _some(predictor, images, start), starts), strict=True):
            for row, one in enumerate(found, start):
                if isinstance(one, Prediction):
                    rows.append(row)
                    predictions.append(one)
                else:
                    skipped.append((from_parent(images.folder, images.files[row]), str(one)))
            done(len(found))
    if not predictions:
        raise UserError(f"None of the {len(images.files):,} images in {images.folder} is readable: {skipped[0][1]}")
    return Evidence(
        class_names=predictor.labels,
        judged=_split(images, np.array(rows, np.int64), predictions),
        temperature=_temperature(predictor.info),
        model_info=artifacts.model_info_json(model),
        skipped=skipped,
        sizes=network_forms.sizes(model),
    )


def _temperature(info: ModelInfo) -> float:
    """Return what a job with calibration=temperature recorded, within the range that it fits; else 1."""
    record = info.extra.get("calibration")
    found = record.get("temperature") if isinstance(record, dict) else None
    low, high = calibration.TEMPERATURE_RANGE
    return float(found) if isinstance(found, int | float) and low <= found <= high else 1.0


def network(engine: Engine, info: ModelInfo) -> Network:
    """Return a loaded model as a function."""

    def run(pixels: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        found = engine.run(pixels)
        return agreement.two_columns(found.probabilities), found.features

    return Network(run, info.image_size, info.load_pixels)


def _some(predictor: Predictor, images: LabelledImages, start: int) -> list[Prediction | OSError | ImageRejected]:
    files = images.files[start : start + AT_ONCE]
    contents = [_read(images.folder / name) for name in files]
    found: Iterator[Prediction | ImageRejected] = iter(
        predictor.predict_each([content for content in contents if isinstance(content, bytes)])
    )
    return [next(found) if isinstance(content, bytes) else content for content in contents]


def _read(path: Path) -> bytes | OSError:
    try:
        return path.read_bytes()
    except OSError as error:
        return error


def _split(images: LabelledImages, rows: NDArray[np.int64], predictions: Sequence[Prediction]) -> Split:
    features = [one.features for one in predictions if one.features is not None]
    return Split(
        name=images.name,
        folder=images.folder,
        files=tuple(images.files[row] for row in rows.tolist()),
        labels=images.labels[rows],
        probabilities=agreement.two_columns(np.stack([one.probabilities for one in predictions])),
        features=np.stack(features) if len(features) == len(predictions) else None,
    )
