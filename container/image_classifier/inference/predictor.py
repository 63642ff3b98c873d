"""The model folder as one object: bytes of images in, named probabilities out."""

import contextlib
import io
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from image_classifier import artifacts, imaging
from image_classifier.artifacts import ModelInfo
from image_classifier.contract.errors import AlgorithmError, UserError
from image_classifier.imaging import Header, ImageRejected
from image_classifier.inference import decode_work, engines
from image_classifier.inference.decode_work import UNBOUNDED, Work
from image_classifier.inference.engines import EngineOptions
from image_classifier.inference.engines.engine import Engine
from image_classifier.inference.layout import check_layout
from image_classifier.inference.prediction import Prediction

_Given = TypeVar("_Given")
_Made = TypeVar("_Made")
BACKGROUND = "background"
"""The built-in algorithm's convention: pre-trained classifiers for ImageNet have label files that begin with a class of
this name, also where their head has none. A trained head's classes are the training channel's folders, this one or not.
"""
Observe = Callable[[str, float], None]
"""Told how many seconds a stage of some images took: "decode" or "engine"."""


def unobserved(stage: str, seconds: float) -> None:
    """Take no notice."""


@dataclass(frozen=True)
class Predictor:
    """A loaded model folder; safe to be called from many threads at once."""

    info: ModelInfo
    labels: tuple[str, ...]
    engine: Engine
    warning: str | None = None
    """What is assumed of the model, since nothing records it; for the log."""

    @classmethod
    def load(cls, folder: Path, trust: bool = False, wish: EngineOptions = engines.NO_WISH) -> "Predictor":
        """Load a model folder; `trust` accepts any operation in its SavedModel, `wish` names the engine.

        Raises:
            UserError: Something is missing or broken, there are other than one label for each output, or the engine
                that is wanted cannot be had.
        """
        check_layout(folder)
        info, labels = artifacts.read_model_info(folder), artifacts.read_labels(folder)
        info, warning = engines.completed(folder, info, wish)
        engine = engines.load(folder, info, trust, wish)
        binary = engine.outputs == 1 and len(labels) == 2
        if not binary and not info.finetuned and len(labels) == engine.outputs + 1 and labels[0] == BACKGROUND:
            labels = labels[1:]
        if len(labels) != engine.outputs and not binary:
            raise UserError(
                f"The label file of {folder} names {len(labels)} classes, but the model answers {engine.outputs} "
                f"{'probability' if engine.outputs == 1 else 'probabilities'} for an image. Put the "
                f"{artifacts.LABELS_FILE} there that was written with this model."
            )
        return cls(info, labels, engine, warning)

    def pixels(self, data: bytes) -> NDArray[np.uint8]:
        """Decode an image to the model's size, uint8 (height, width, 3).

        Raises:
            ImageRejected: It is not an image that is allowed.
        """
        return self._decode(self._admitted(data, UNBOUNDED), UNBOUNDED)

    def predict(
        self, images: Sequence[bytes], observe: Observe = unobserved, work: Work = UNBOUNDED
    ) -> list[Prediction]:
        """Classify the bytes of images, in order; all headers are checked before the first image is decoded.

        Args:
            images: The files' bytes.
            observe: Told of the seconds of every step.
            work: What the sender may take of this machine; what its methods raise is passed on.

        Raises:
            ImageRejected: One of them is not an image that is allowed; of several, the message tells which.
            AlgorithmError: The network answers something that is no number.
        """
        headers = [_named(self._admitted, images, index, work) for index in range(len(images))]
        found: list[Prediction] = []
        for start, end, heavy in decode_work.steps(headers):
            with work.step(heavy), self.engine.expecting():
                with _timed(observe, "decode"):
                    pixels = [_named(self._decode, headers, index, work) for index in range(start, end)]
                found += self.classify(np.stack(pixels), observe)
        return found

    def predict_each(
        self, images: Sequence[bytes], observe: Observe = unobserved, work: Work = UNBOUNDED
    ) -> list[Prediction | ImageRejected]:
        """Classify images as `predict` does, with the reason in place of each that is not allowed.

        Raises:
            AlgorithmError: The network answers something that is no number.
        """
        read = [_or_reason(self._admitted, image, work) for image in images]
        headers = [entry for entry in read if isinstance(entry, Header)]
        found: list[Prediction | ImageRejected] = []
        for start, end, heavy in decode_work.steps(headers):
            with work.step(heavy), self.engine.expecting():
                with _timed(observe, "decode"):
                    decoded = [_or_reason(self._decode, header, work) for header in headers[start:end]]
                allowed = [pixels for pixels in decoded if not isinstance(pixels, ImageRejected)]
                answered = iter(self.classify(np.stack(allowed), observe) if allowed else [])
            found += [entry if isinstance(entry, ImageRejected) else next(answered) for entry in decoded]
        rest = iter(found)
        return [next(rest) if isinstance(entry, Header) else entry for entry in read]

    def _admitted(self, image: bytes, work: Work) -> Header:
        header = imaging.read_header(image, work.max_pixels)
        work.admit(header, imaging.memory_bytes(header, self.info.image_size, self.info.resize_method))
        return header

    def _decode(self, header: Header, work: Work) -> NDArray[np.uint8]:
        size, method = self.info.image_size, self.info.resize_method
        with work.memory(imaging.memory_bytes(header, size, method)):
            return imaging.decode(header, size, method)

    def classify(self, pixels: NDArray[np.uint8], observe: Observe = unobserved) -> list[Prediction]:
        """Classify pixels, uint8 (n, height, width, 3).

        Raises:
            AlgorithmError: The network answers something that is no number.
        """
        with _timed(observe, "engine"):
            found = self.engine.run(pixels)
        rows, features = found.probabilities, found.features
        if not all(np.isfinite(part).all() for part in (rows, features) if part is not None):
            raise AlgorithmError("The model answers with numbers that are not finite (NaN or infinity).")
        return [
            Prediction(self.labels, row, None if features is None else features[index])
            for index, row in enumerate(rows)
        ]

    def warm_up(self) -> None:
        """Answer a few synthetic images, so that the first real one waits neither for the engine nor for the decoder.

        Raises:
            UserError: The network answers something that is no number.
        """
        noise = np.random.default_rng(0)
        try:
            for count in self.engine.rungs:
                self.classify(noise.integers(0, 256, (count, *self.info.image_size, 3), dtype=np.uint8))
            self.predict([_photograph()])
        except AlgorithmError as error:
            raise UserError(f"{error} Its weights are corrupt or its training diverged; train it again.") from error


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
