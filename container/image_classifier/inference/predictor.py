"""A loaded model folder as one object: encoded images in, class probabilities out."""

import contextlib
import io
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from image_classifier import artifacts, imaging
from image_classifier.artifacts import ModelInfo
from image_classifier.contract.errors import AlgorithmError, UserError
from image_classifier.imaging import Header, ImageRejected
from image_classifier.inference import decode_work, engines, familiarity_file
from image_classifier.inference.decode_work import UNBOUNDED, Work
from image_classifier.inference.engines import EngineOptions
from image_classifier.inference.engines.engine import Engine
from image_classifier.inference.layout import check_layout
from image_classifier.inference.prediction import Prediction
from image_classifier.resources.processors import available_processors

if TYPE_CHECKING:
    from image_classifier.evaluation.familiarity import FamiliarityModel

_Given = TypeVar("_Given")
_Made = TypeVar("_Made")
BACKGROUND = "background"
"""The built-in algorithm's convention: label files of pre-trained ImageNet classifiers begin with a class of this name
even where the head has no such output. The classes of a fine-tuned head are always the folders of the training channel.
"""
Observe = Callable[[str, float], None]
"""Receives the duration in seconds of a stage, "decode" or "engine", for a group of images."""


def unobserved(stage: str, seconds: float) -> None:
    """Ignore the duration."""


@dataclass(frozen=True)
class Predictor:
    """A loaded model folder; thread-safe."""

    info: ModelInfo
    labels: tuple[str, ...]
    engine: Engine
    warning: str | None = None
    """Assumptions about properties that the model info does not record; for the log."""
    familiarity: "FamiliarityModel | None" = field(default=None, repr=False)
    """Computes how familiar an image is; None for a model folder without `artifacts.FAMILIARITY_FILE`."""

    @classmethod
    def load(cls, folder: Path, trust: bool = False, options: EngineOptions = engines.DEFAULT_OPTIONS) -> "Predictor":
        """Load a model folder; `trust` accepts any operation in its SavedModel, `options` selects the engine.

        Raises:
            UserError: A file is missing or corrupt, the number of labels does not match the model's outputs, or the
                requested engine is unavailable.
        """
        check_layout(folder)
        info, labels = artifacts.read_model_info(folder), artifacts.read_labels(folder)
        info, warning = engines.completed(folder, info, options)
        engine = engines.load(folder, info, trust, options)
        labels = labels_of_outputs(labels, info, engine.outputs, folder)
        return cls(info, labels, engine, warning, familiarity_file.load(folder))

    def pixels(self, data: bytes) -> NDArray[np.uint8]:
        """Decode an image to the model's size, uint8 (height, width, 3).

        Raises:
            ImageRejected: The image is invalid or exceeds a limit.
        """
        return self._decode(self._admitted(data, UNBOUNDED), UNBOUNDED)

    def predict(
        self, images: Sequence[bytes], observe: Observe = unobserved, work: Work = UNBOUNDED
    ) -> list[Prediction]:
        """Classify encoded images, in order; all headers are checked before the first image is decoded.

        Args:
            images: Contents of the image files.
            observe: Receives the duration of each stage of each step.
            work: The sender's resource limits; exceptions of its methods propagate.

        Raises:
            ImageRejected: An image is invalid or exceeds a limit; the message gives its number if there are several.
            AlgorithmError: The network returned NaN or infinity.
        """
        headers = [_named(self._admitted, images, index, work) for index in range(len(images))]
        found: list[Prediction] = []
        for start, end, heavy in decode_work.steps(headers):
            with work.step(heavy), self.engine.announce():
                with _timed(observe, "decode"):
                    pixels = [_named(self._decode, headers, index, work) for index in range(start, end)]
                found += self.classify(np.stack(pixels), observe)
        return found

    def predict_each(
        self, images: Sequence[bytes], observe: Observe = unobserved, work: Work = UNBOUNDED
    ) -> list[Prediction | ImageRejected]:
        """Classify images as `predict` does, but return the rejection in place of each rejected image.

        Raises:
            AlgorithmError: The network returned NaN or infinity.
        """
        read = [_or_reason(self._admitted, image, work) for image in images]
        headers = [entry for entry in read if isinstance(entry, Header)]
        found: list[Prediction | ImageRejected] = []
        for start, end, heavy in decode_work.steps(headers):
            with work.step(heavy), self.engine.announce():
                with _timed(observe, "decode"):
                    decoded = [_or_reason(self._decode, header, work) for header in headers[start:end]]
                allowed = [pixels for pixels in decoded if not isinstance(pixels, ImageRejected)]
                answered = iter(self.classify(np.stack(allowed), observe) if allowed else [])
            found += [entry if isinstance(entry, ImageRejected) else next(answered) for entry in decoded]
        rest = iter(found)
        return [next(rest) if isinstance(entry, Header) else entry for entry in read]

    def explain(self, image: bytes, observe: Observe = unobserved, work: Work = UNBOUNDED) -> Prediction:
        """Classify an image as `predict` does, and map which parts of it the predicted class rests on.

        Classifies `occlusion.PASSES` images, one per CPU at a time: a step takes about as long as one image, and other
        requests are served in between.

        Raises:
            ImageRejected: The image is invalid or exceeds a limit.
            AlgorithmError: The network returned NaN or infinity.
        """
        # Few servers explain, and none needs it to start.
        from image_classifier.evaluation import occlusion

        header, at_once = self._admitted(image, work), available_processors()

        def predict(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
            found: list[Prediction] = []
            for start in range(0, len(pixels), at_once):
                work.check()
                with work.step(False), self.engine.announce():
                    found += self.classify(pixels[start : start + at_once], observe)
            return np.stack([prediction.class_probabilities for prediction in found])

        with work.low_priority():
            with work.step(decode_work.is_heavy(header)), self.engine.announce():
                with _timed(observe, "decode"):
                    pixels = self._decode(header, work)
                prediction = self.classify(pixels[np.newaxis], observe)[0]
            return replace(prediction, explanation=occlusion.explain(pixels, predict, prediction.predicted_index))

    def with_familiarity(self, predictions: Sequence[Prediction]) -> list[Prediction]:
        """Return predictions with their familiarity, computed from the features; without a way to compute it, as given.

        Raises:
            UserError: The features are not those that it was fitted on.
        """
        features = [prediction.features for prediction in predictions if prediction.features is not None]
        if self.familiarity is None or not predictions or len(features) < len(predictions):
            return list(predictions)
        expected, given = len(self.familiarity.origin), len(features[0])
        if given != expected:
            raise UserError(
                f"{artifacts.FAMILIARITY_FILE} is of another model: it is fitted on {expected} features, but the "
                f"network returns {given}. Copy the model again, or remove this file."
            )
        # One at a time: it does not depend on the batch then, and NumPy's threads do not compete with the engine's.
        # Three decimals: the score counts quantiles of a thousandth each.
        return [
            replace(prediction, familiarity=round(float(self.familiarity.score(row[np.newaxis])[0]), 3))
            for prediction, row in zip(predictions, features, strict=True)
        ]

    def _admitted(self, image: bytes, work: Work) -> Header:
        header = imaging.read_header(image, work.max_pixels)
        work.admit(header, imaging.memory_bytes(header, self.info.image_size, self.info.resize_method))
        return header

    def _decode(self, header: Header, work: Work) -> NDArray[np.uint8]:
        size, method = self.info.image_size, self.info.resize_method
        with work.memory(imaging.memory_bytes(header, size, method)):
            return imaging.decode(header, size, method, self.info.imaging_version)

    def classify(self, pixels: NDArray[np.uint8], observe: Observe = unobserved) -> list[Prediction]:
        """Classify pixels, uint8 (n, height, width, 3).

        Raises:
            AlgorithmError: The network returned NaN or infinity.
        """
        with _timed(observe, "engine"):
            found = self.engine.run(pixels)
        rows, features = found.probabilities, found.features
        if not all(np.isfinite(part).all() for part in (rows, features) if part is not None):
            raise AlgorithmError("The model returns numbers that are not finite (NaN or infinity).")
        return [
            Prediction(self.labels, row, None if features is None else features[index])
            for index, row in enumerate(rows)
        ]

    def warm_up(self) -> None:
        """Classify a few synthetic images, so that the first request waits neither for the engine nor for the decoder.

        Raises:
            UserError: The network returned NaN or infinity, or `familiarity` is of another model.
        """
        noise = np.random.default_rng(0)
        try:
            for count in self.engine.warm_up_sizes:
                self.classify(noise.integers(0, 256, (count, *self.info.image_size, 3), dtype=np.uint8))
            self.with_familiarity(self.predict([_photograph()]))
        except AlgorithmError as error:
            raise UserError(f"{error} Its weights are corrupt or its training diverged. Train it again.") from error


def labels_of_outputs(labels: tuple[str, ...], info: ModelInfo, outputs: int, folder: Path) -> tuple[str, ...]:
    """Return the names of a network's classes, given those of its label file: without `BACKGROUND` where it has none.

    `outputs` is the number of its probabilities; a single one stands for two classes. `folder` is for the error.

    Raises:
        UserError: Their number does not match.
    """
    binary = outputs == 1 and len(labels) == 2
    if not binary and not info.finetuned and len(labels) == outputs + 1 and labels[0] == BACKGROUND:
        return labels[1:]
    if len(labels) != outputs and not binary:
        raise UserError(
            f"The label file of {folder} names {len(labels)} classes, but the model returns {outputs} "
            f"{'probability' if outputs == 1 else 'probabilities'} per image. Replace "
            f"{artifacts.LABELS_FILE} with the one that was written with this model."
        )
    return labels


def _photograph() -> bytes:
    file = io.BytesIO()
    Image.effect_noise((64, 48), 60).convert("RGB").save(file, "JPEG")
    return file.getvalue()


def _or_reason(act: Callable[[_Given, Work], _Made], given: _Given, work: Work) -> _Made | ImageRejected:
    try:
        return act(given, work)
    except ImageRejected as rejected:
        return rejected


def _named(act: Callable[[_Given, Work], _Made], given: Sequence[_Given], index: int, work: Work) -> _Made:
    try:
        return act(given[index], work)
    except ImageRejected as rejected:
        if len(given) == 1:
            raise
        raise ImageRejected(rejected.code, f"Image {index + 1} of {len(given)}: {rejected}") from rejected


@contextlib.contextmanager
def _timed(observe: Observe, stage: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    observe(stage, time.perf_counter() - started)
