"""The model folder as one object: bytes of pictures in, named probabilities out."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from image_classifier import artifacts, imaging
from image_classifier.artifacts import ModelInfo
from image_classifier.contract.errors import AlgorithmError, UserError
from image_classifier.imaging import ImageRejected
from image_classifier.inference import engines
from image_classifier.inference.engines import Engine, Wish

BATCH = 32
"""Pictures that are decoded and classified together: what is in memory at once, however many a request brings."""


@dataclass(frozen=True)
class Prediction:
    """The classes of one picture.

    `labels` are in index order and as many as `probabilities`, except in binary mode: there two labels share one
    probability, that of the second.
    """

    labels: tuple[str, ...]
    probabilities: tuple[float, ...]

    @property
    def predicted_label(self) -> str:
        """The most probable class; in binary mode the second one from 0.5 on."""
        if self._is_binary:
            return self.labels[1] if self.probabilities[0] >= 0.5 else self.labels[0]
        return self.labels[self.probabilities.index(max(self.probabilities))]

    def most_probable(self, count: int) -> "Prediction":
        """Return the `count` most probable classes, or all when there are fewer, the most probable first."""
        probabilities = self.probabilities
        if self._is_binary:
            second = probabilities[0]
            probabilities = (_shortest(np.float32(1) - np.float32(second)), second)
        # Stable, so that equal probabilities stay in index order; in binary mode 0.5 counts for the second class.
        order = sorted(range(len(probabilities)), key=lambda index: -probabilities[index])
        if self._is_binary and probabilities[1] >= 0.5:
            order = [1, 0]
        chosen = order[:count]
        return Prediction(tuple(self.labels[i] for i in chosen), tuple(probabilities[i] for i in chosen))

    @property
    def _is_binary(self) -> bool:
        return len(self.labels) == 2 and len(self.probabilities) == 1


@dataclass(frozen=True)
class Predictor:
    """A loaded model folder; safe to be called from many threads at once."""

    info: ModelInfo
    labels: tuple[str, ...]
    engine: Engine

    @classmethod
    def load(cls, folder: Path, trust: bool = False, wish: Wish = engines.NO_WISH) -> "Predictor":
        """Load a model folder; `trust` accepts file and Python operations in its SavedModel, `wish` names the engine.

        Raises:
            UserError: Something is missing or broken, there are other than one label for each output, or the engine
                that is wanted cannot be had.
        """
        check_layout(folder)
        info, labels = artifacts.read_model_info(folder), artifacts.read_labels(folder)
        engine = engines.load(folder, info, trust, wish)
        # The built-in algorithm's convention: a head without a background class drops the label of that name.
        if len(labels) == engine.outputs + 1 and labels[0] == "background":
            labels = labels[1:]
        binary = engine.outputs == 1 and len(labels) == 2
        if len(labels) != engine.outputs and not binary:
            raise UserError(
                f"The label file of {folder} names {len(labels)} classes, but the model answers {engine.outputs} "
                f"{'probability' if engine.outputs == 1 else 'probabilities'} for a picture. Put the "
                f"{artifacts.LABELS_FILE} there that was written with this model."
            )
        return cls(info, labels, engine)

    def pixels(self, data: bytes) -> NDArray[np.uint8]:
        """Decode a picture to the model's size, uint8 (height, width, 3).

        Raises:
            ImageRejected: It is no picture that is allowed.
        """
        return imaging.load_pixels(data, self.info.image_size, self.info.resize_method)

    def predict(self, images: Sequence[bytes]) -> list[Prediction]:
        """Classify the bytes of pictures, in order.

        Raises:
            ImageRejected: One of them is no picture that is allowed; of several, the message tells which.
            AlgorithmError: The network answers something that is no number.
        """
        found: list[Prediction] = []
        for start in range(0, len(images), BATCH):
            pixels = [self._pixels_of(images, index) for index in range(start, min(start + BATCH, len(images)))]
            found += self.classify(np.stack(pixels))
        return found

    def _pixels_of(self, images: Sequence[bytes], index: int) -> NDArray[np.uint8]:
        try:
            return self.pixels(images[index])
        except ImageRejected as rejected:
            if len(images) == 1:
                raise
            raise ImageRejected(rejected.code, f"Picture {index + 1} of {len(images)}: {rejected}") from rejected

    def classify(self, pixels: NDArray[np.uint8]) -> list[Prediction]:
        """Classify pixels, uint8 (n, height, width, 3).

        Raises:
            AlgorithmError: The network answers something that is no number.
        """
        rows = self.engine.probabilities(pixels)
        if not np.isfinite(rows).all():
            raise AlgorithmError("The model answers with numbers that are not finite (NaN or infinity).")
        return [Prediction(self.labels, tuple(map(_shortest, row))) for row in rows]

    def warm_up(self) -> None:
        """Answer a few made-up pictures, so that the first real one does not wait for the engine to get ready.

        Raises:
            UserError: The network answers something that is no number.
        """
        noise = np.random.default_rng(0)
        for count in (1, 2, 1):
            pixels = noise.integers(0, 256, (count, *self.info.image_size, 3), dtype=np.uint8)
            try:
                self.classify(pixels)
            except AlgorithmError as error:
                raise UserError(f"{error} Its weights are damaged or its training diverged; train it again.") from error


def check_layout(folder: Path) -> None:
    """Check what can be checked of a model folder without loading it.

    Raises:
        UserError: A file that serving needs is missing or broken, or the model is a backbone without classes.
    """
    saved_model = artifacts.saved_model_folder(folder)
    info = artifacts.read_model_info(folder)
    if info.output == "features":
        raise UserError(
            f"{folder} is a backbone: it answers features, not classes. Train a head on it, or stage it with "
            "scripts/stage-backbone --with-head."
        )
    artifacts.read_labels(folder)
    variables = saved_model / "variables"
    if variables.is_dir() and not (variables / "variables.index").is_file():
        raise UserError(f"{variables} has no variables.index, so the model's weights are missing. Copy it again.")


def _shortest(value: np.floating) -> float:
    # The shortest decimal that reads back as the same float32: 0.1, not 0.10000000149011612.
    return float(str(np.float32(value)))
