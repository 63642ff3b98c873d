"""Verify the exported model: predict in a fresh process with the serving code, and compare with training.

That process alone imports the serving code.
"""

import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from image_classifier import imaging
from image_classifier.class_folders.storage import Storage
from image_classifier.contract.errors import AlgorithmError
from image_classifier.inference.openvino_model import agreement
from image_classifier.resources.processors import available_processors
from image_classifier.training.data.validation_sample import ValidationSample
from image_classifier.training.export import child_process
from image_classifier.training.export.child_process import Child, ChildFailed
from image_classifier.training.progress import log
from image_classifier.training.stopping import StopSignal

if TYPE_CHECKING:
    from image_classifier.inference.predictor import Predictor
    from image_classifier.training.export.finished_model import BytesPredictions

_PREDICTIONS = "predictions.npz"
_AT_ONCE = 8


@dataclass(frozen=True)
class Verification:
    """Comparison of the exported model with the model in training."""

    engine: str
    """The engine that serves this model on this machine."""
    images: int
    training_accuracy: float
    served_accuracy: float
    other_answers: int
    """Different top-1 predictions where the two best are further apart than 2·`agreement.TOLERANCE`."""
    close_answers: int
    """Different top-1 predictions where the two best are within 2·`agreement.TOLERANCE`."""
    largest_difference: float
    """Largest |Δp| between training and serving."""
    twin_images: int
    twin_left_out: int
    """Images that the serving code decodes and TensorFlow does not, such as an animated WebP."""
    twin_median_difference: float | None
    """None when every image was left out, as are the next two."""
    twin_largest_difference: float | None
    twin_same_answer: float | None
    """Share of images with the same top-1 prediction of the bytes signature and of the serving code."""
    unread: int = 0
    """Images of the sample that could not be read again."""


class NothingToCompare(Exception):  # noqa: N818 - not an error of the model
    """No image of the sample could be read again; the text has no full stop."""


def verify(
    folder: Path,
    sample: ValidationSample,
    bytes_predictions: "BytesPredictions",
    scratch: Path,
    stop: StopSignal,
    trust: bool = False,
) -> Verification:
    """Load `folder` in a new process and compare its predictions with those of training.

    `bytes_predictions` are those of the bytes signature, by rows of `sample`; `scratch` is a folder of its own.
    `trust` accepts file and Python operations, as the job did for the backbone.

    Raises:
        AlgorithmError: The process fails, or more than max(2, 0.5 %) of its predictions differ from training.
        ChildKilled: The process crashed or hung.
        NothingToCompare: None of the images can be read again.
        Interrupted: The job has no time left.
    """
    request = {"folder": str(folder), "paths": [str(path) for path in sample.paths], "trust": trust}
    with Child("image_classifier.training.export.verification", scratch, request) as process:
        try:
            process.wait(stop)
        except ChildFailed as failure:
            raise AlgorithmError(
                f"The exported model in {folder} cannot be loaded and run by a new process: {failure}."
            ) from failure
    with np.load(scratch / _PREDICTIONS) as found:
        rows = found["rows"]
        if not len(rows):
            raise NothingToCompare("none of its validation images could be read again")
        result = compare(str(found["engine"]), sample, rows, found["served"], bytes_predictions)
    for line in _lines(result):
        log(line)
    allowed = max(2, int(0.005 * result.images))
    if result.other_answers > allowed:
        raise AlgorithmError(
            f"The exported model classifies {result.other_answers} of {result.images} validation images differently "
            f"from the model in training (allowed: {allowed}). Do not deploy {folder}; please report this."
        )
    return result


def _lines(result: Verification) -> list[str]:
    unread = f" {result.unread} images could not be read again and are left out." if result.unread else ""
    return [
        f"Verification: a fresh process classified {result.images} validation images with {result.engine}, accuracy "
        f"{result.served_accuracy:.4f} (training: {result.training_accuracy:.4f}), largest difference of a "
        f"probability {result.largest_difference:.6f}, {result.other_answers} different predictions.{unread}",
        *_bytes_signature_lines(result),
    ]


def _bytes_signature_lines(result: Verification) -> list[str]:
    left_out = "" if not result.twin_left_out else f" {result.twin_left_out} left out, which TensorFlow cannot decode."
    if result.twin_median_difference is None:
        return [f"Bytes signature: not compared.{left_out}"]
    return [
        f"Bytes signature on {result.twin_images} of them: median difference {result.twin_median_difference:.6f}, "
        f"largest {result.twin_largest_difference:.6f}, same prediction on "
        f"{100 * (result.twin_same_answer or 0):.1f} %.{left_out}"
    ]


def compare(
    engine: str,
    sample: ValidationSample,
    rows: NDArray[np.int64],
    served: NDArray[np.float32],
    bytes_predictions: "BytesPredictions",
) -> Verification:
    """Compare probabilities (n, K) or (n, 1) of training, the serving code and, for some rows, the bytes signature.

    `rows` are those of `sample` that `served` holds the predictions of.
    """
    compared = sample.rows(rows)
    found = agreement.measure(compared.expected, served)
    expected, predicted = map(agreement.two_columns, (compared.expected, served))
    return Verification(
        engine=engine,
        images=len(compared.labels),
        training_accuracy=float((expected.argmax(axis=1) == compared.labels).mean()),
        served_accuracy=float((predicted.argmax(axis=1) == compared.labels).mean()),
        other_answers=found.other_answers,
        close_answers=found.close_answers,
        largest_difference=found.largest_difference,
        unread=len(sample.labels) - len(rows),
        **_compare_bytes_signature(rows, predicted, bytes_predictions),
    )


def _compare_bytes_signature(
    rows: NDArray[np.int64], served: NDArray[np.float32], bytes_predictions: "BytesPredictions"
) -> dict[str, Any]:
    both, of_served, of_bytes = np.intersect1d(rows, bytes_predictions.rows, return_indices=True)
    found: dict[str, Any] = {"twin_images": len(both), "twin_left_out": bytes_predictions.left_out}
    if not len(both):
        return {**found, **dict.fromkeys(("twin_median_difference", "twin_largest_difference", "twin_same_answer"))}
    expected, found_by_bytes = served[of_served], agreement.two_columns(bytes_predictions.probabilities[of_bytes])
    difference = np.abs(expected - found_by_bytes).max(axis=1)
    return {
        **found,
        "twin_median_difference": float(np.median(difference)),
        "twin_largest_difference": float(difference.max()),
        "twin_same_answer": float((expected.argmax(axis=1) == found_by_bytes.argmax(axis=1)).mean()),
    }


def record(result: Verification) -> dict[str, Any]:
    """Return a verification as a record for the model info."""
    return asdict(result)


def _score(scratch: Path, request: Mapping[str, Any]) -> None:
    from image_classifier.inference.engines import EngineOptions
    from image_classifier.inference.predictor import Predictor

    # In float32, as in training: the check is for a wrong network, not for rounding.
    predictor = Predictor.load(Path(request["folder"]), request["trust"], EngineOptions(force_float32=True))
    paths, storage = [Path(path) for path in request["paths"]], Storage()

    def predict(start: int) -> list[tuple[int, NDArray[np.float32]]]:
        rows = range(start, min(start + _AT_ONCE, len(paths)))
        images = {row: content for row in rows if (content := storage.read_if_there(paths[row]))}
        return _predict(predictor, images)

    with ThreadPoolExecutor(available_processors()) as pool:
        found = [one for some in pool.map(predict, range(0, len(paths), _AT_ONCE)) for one in some]
    rows, served = [row for row, _ in found], [answer for _, answer in found]
    np.savez(
        scratch / _PREDICTIONS,
        engine=predictor.engine.name,
        rows=np.array(rows, np.int64),
        served=np.array(served, np.float32),
    )


def _predict(predictor: "Predictor", images: Mapping[int, bytes]) -> list[tuple[int, NDArray[np.float32]]]:
    """Return the predictions for the images that are still readable, by their rows."""
    if not images:
        return []
    try:
        predictions = predictor.predict(list(images.values()))
    except imaging.ImageRejected:
        # A file changed after training had decoded it.
        one_by_one = ({row: content} for row, content in images.items()) if len(images) > 1 else ()
        return [answer for one in one_by_one for answer in _predict(predictor, one)]
    return [(row, one.probabilities) for row, one in zip(images, predictions, strict=True)]


if __name__ == "__main__":
    sys.exit(child_process.run(_score, Path(sys.argv[1])))
