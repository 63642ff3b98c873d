"""The SavedModel that the job wrote, loaded from its files and run by TensorFlow."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from image_classifier import tensorflow_start
from image_classifier.artifacts import FEATURES, PROBABILITIES, ModelInfo
from image_classifier.contract.errors import AlgorithmError, UserError, first_line
from image_classifier.inference.engines import pixel_functions, tensorflow
from image_classifier.inference.openvino_model.conversion import NotConverted
from image_classifier.training.stopping import StopSignal
from image_classifier.untrusted_models.loader import load_untrusted

_NOISE = (b"oneDNN supports DT_UINT8 only on",)
"""Harmless error line of TensorFlow 2.21 where oneDNN has no uint8 kernel."""
_AT_ONCE = 8
"""Images per batch; the time left is checked between batches."""


@dataclass(frozen=True)
class BytesPredictions:
    """Predictions of the bytes signature for a sample of images."""

    rows: NDArray[np.int64]
    """(n,) indices of the images in the sample."""
    probabilities: NDArray[np.float32]
    """(n, K) or (n, 1)."""
    left_out: int
    """Number of images of the sample that TensorFlow cannot decode."""


@dataclass(frozen=True)
class FinishedModel:
    """A SavedModel with the signatures that `saved_model_export.save` writes."""

    root: Any
    """The loaded object, referenced here since TensorFlow frees the variables of a model without references."""
    info: ModelInfo

    def function(self) -> Any:
        """Return a concrete function from uint8 pixels (n, h, w, 3) to probabilities."""
        pixels = self.root.signatures["pixels"]
        return tensorflow.compiled(lambda given: pixels(pixels=given)["probabilities"], self.info)

    def write_graph(self, path: Path) -> Path:
        """Write the network as a frozen GraphDef from pixels to its outputs; return `path`.

        Raises:
            NotConverted: It cannot be frozen, for example since it exceeds the 2 GB limit of protocol buffers.
            OSError: The disk is full or not writable.
        """
        try:
            function = pixel_functions.with_features(self.root, self.info) or self.function()
            graph = pixel_functions.serialized(function)
        except Exception as error:  # freezing fails with exceptions of many types; the model still serves
            raise NotConverted(f"TensorFlow cannot freeze its network: {first_line(error)}") from error
        path.write_bytes(graph)
        return path

    def predict_images(self, paths: Sequence[Path], stop: StopSignal) -> NDArray[np.float32]:
        """Return probabilities (n, K) or (n, 1), in float32, of images that this program decodes.

        They are fewer when the job runs out of time.
        """
        function = self.function()

        def predict(some: Sequence[Path]) -> Any:
            return function(np.stack([self.info.load_pixels(path.read_bytes()) for path in some]))

        return _in_batches(predict, paths, stop)

    def predict_bytes(self, paths: Sequence[Path], stop: StopSignal) -> BytesPredictions:
        """Return the same of images that the bytes signature decodes inside the graph, one after the other.

        Images that TensorFlow cannot decode are left out and counted.
        """
        signature = self.root.signatures["serving_default"]
        rejected: list[int] = []

        def predict(some: Sequence[int]) -> Any:
            contents = [paths[row].read_bytes() for row in some]
            try:
                return signature(tf.constant(contents))["probabilities"]
            except tf.errors.OpError:
                if len(some) > 1:
                    return np.concatenate([predict([row]) for row in some])
                rejected.extend(some)
                return np.empty((0, self._outputs(signature)), np.float32)

        probabilities = _in_batches(predict, range(len(paths)), stop)
        tried = len(probabilities) + len(rejected)
        rows = np.array([row for row in range(tried) if row not in rejected], np.int64)
        return BytesPredictions(rows, probabilities, len(rejected))

    def _outputs(self, signature: Any) -> int:
        return int(signature.structured_outputs["probabilities"].shape[-1])


def _in_batches(predict: Any, paths: Sequence[Any], stop: StopSignal) -> NDArray[np.float32]:
    parts: list[NDArray[np.float32]] = []
    with tensorflow_start.without(_NOISE), pixel_functions.full_float32():
        for start in range(0, len(paths), _AT_ONCE):
            if stop.out_of_time():
                break
            parts.append(np.asarray(predict(paths[start : start + _AT_ONCE]), np.float32))
    return np.concatenate(parts) if parts else np.empty((0, 0), np.float32)


def with_pixels_alone(saved_model: Path, view: Path) -> Path:
    """Write a SavedModel at `view` with the same weights, whose only signature takes pixels; return `view`.

    The weights are linked, not copied. OpenVINO reads only the signature `serving_default`, which takes bytes in ours.
    """
    from tensorflow.core.protobuf import saved_model_pb2

    model = saved_model_pb2.SavedModel.FromString((saved_model / "saved_model.pb").read_bytes())
    signatures = model.meta_graphs[0].signature_def
    chosen = signatures["serving_default"]
    chosen.CopyFrom(signatures["pixels"])
    for name in {*chosen.outputs} - {PROBABILITIES, FEATURES}:
        del chosen.outputs[name]
    del signatures["pixels"]
    view.mkdir(parents=True)
    (view / "saved_model.pb").write_bytes(model.SerializeToString())
    (view / "variables").symlink_to((saved_model / "variables").absolute())
    return view


def load(saved_model: Path, info: ModelInfo) -> FinishedModel:
    """Load a SavedModel that `saved_model_export.save` wrote.

    Raises:
        AlgorithmError: It cannot be loaded.
    """
    try:
        # Written by this job, whose backbone was checked or is trusted.
        root = load_untrusted(saved_model, trust=True)
    except UserError as error:
        raise AlgorithmError(
            f"The finished model in {saved_model} cannot be loaded again: {first_line(error)}. Please report this."
        ) from error
    return FinishedModel(root, info)
