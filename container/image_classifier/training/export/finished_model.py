"""The SavedModel that the job wrote, loaded again from its files and asked by TensorFlow."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from image_classifier import imaging, tensorflow_start
from image_classifier.artifacts import FEATURES, PROBABILITIES, ModelInfo
from image_classifier.contract.errors import AlgorithmError, UserError, first_line
from image_classifier.inference.engines import pixel_functions, tensorflow
from image_classifier.inference.openvino_model.conversion import NotConverted
from image_classifier.training.stopping import StopSignal
from image_classifier.untrusted_models.loader import load_untrusted

_NOISE = (b"oneDNN supports DT_UINT8 only on",)
"""What TensorFlow 2.21 prints as an error where its usual kernel for bytes has to do."""
_AT_ONCE = 8
"""Images between two looks at whether the job has time left."""


@dataclass(frozen=True)
class BytesPredictions:
    """What the signature of bytes answered to a sample of images."""

    rows: NDArray[np.int64]
    """(n,) which of the images, by their places in the sample."""
    probabilities: NDArray[np.float32]
    """(n, K) or (n, 1)."""
    left_out: int
    """Images of the sample that TensorFlow does not decode."""


@dataclass(frozen=True)
class FinishedModel:
    """A SavedModel with the signatures that `export.save` writes."""

    root: Any
    """Kept, because TensorFlow frees the variables of a model that nobody holds."""
    info: ModelInfo

    def function(self) -> Any:
        """Return a concrete function, uint8 pixels (n, h, w, 3) to probabilities."""
        pixels = self.root.signatures["pixels"]
        return tensorflow.compiled(lambda given: pixels(pixels=given)["probabilities"], self.info)

    def write_graph(self, path: Path) -> Path:
        """Write the network as a GraphDef from pixels to what it answers, variables as constants; returns `path`.

        Raises:
            NotConverted: It cannot be, for example since it is larger than the 2 GB that a protocol buffer can hold.
            OSError: The disk rejects it.
        """
        try:
            function = pixel_functions.with_features(self.root, self.info) or self.function()
            graph = pixel_functions.serialized(function)
        except Exception as error:  # whatever a network makes TensorFlow's freezing stumble over, it still serves it
            raise NotConverted(f"TensorFlow cannot write its network in one file: {first_line(error)}") from error
        path.write_bytes(graph)
        return path

    def predict_images(self, paths: Sequence[Path], stop: StopSignal) -> NDArray[np.float32]:
        """Return probabilities, (n, K) or (n, 1), in full float32, of images decoded by this program.

        Fewer than asked for when `stop` leaves no time.
        """
        function, size, method = self.function(), self.info.image_size, self.info.resize_method

        def ask(some: Sequence[Path]) -> Any:
            return function(np.stack([imaging.load_pixels(path.read_bytes(), size, method) for path in some]))

        return _in_parts(ask, paths, stop)

    def predict_bytes(self, paths: Sequence[Path], stop: StopSignal) -> BytesPredictions:
        """Return the same of images that the signature of bytes decodes inside the graph, one after the other.

        Images that this program reads and TensorFlow does not are left out and counted.
        """
        signature = self.root.signatures["serving_default"]
        rejected: list[int] = []

        def ask(some: Sequence[int]) -> Any:
            contents = [paths[row].read_bytes() for row in some]
            try:
                return signature(tf.constant(contents))["probabilities"]
            except tf.errors.OpError:
                if len(some) > 1:
                    return np.concatenate([ask([row]) for row in some])
                rejected.extend(some)
                return np.empty((0, self._outputs(signature)), np.float32)

        found = _in_parts(ask, range(len(paths)), stop)
        asked = len(found) + len(rejected)
        rows = np.array([row for row in range(asked) if row not in rejected], np.int64)
        return BytesPredictions(rows, found, len(rejected))

    def _outputs(self, signature: Any) -> int:
        return int(signature.structured_outputs["probabilities"].shape[-1])


def _in_parts(ask: Any, paths: Sequence[Any], stop: StopSignal) -> NDArray[np.float32]:
    parts: list[NDArray[np.float32]] = []
    with tensorflow_start.without(_NOISE), pixel_functions.full_float32():
        for start in range(0, len(paths), _AT_ONCE):
            if stop.out_of_time():
                break
            parts.append(np.asarray(ask(paths[start : start + _AT_ONCE]), np.float32))
    return np.concatenate(parts) if parts else np.empty((0, 0), np.float32)


def with_pixels_alone(saved_model: Path, view: Path) -> Path:
    """Make a SavedModel of the same weights whose only signature goes from pixels to what serving answers from.

    Returns `view`.

    The weights are linked, not copied. OpenVINO reads the signature `serving_default` alone, which in ours takes bytes.
    """
    from tensorflow.core.protobuf import saved_model_pb2

    found = saved_model_pb2.SavedModel.FromString((saved_model / "saved_model.pb").read_bytes())
    signatures = found.meta_graphs[0].signature_def
    chosen = signatures["serving_default"]
    chosen.CopyFrom(signatures["pixels"])
    for name in {*chosen.outputs} - {PROBABILITIES, FEATURES}:
        del chosen.outputs[name]
    del signatures["pixels"]
    view.mkdir(parents=True)
    (view / "saved_model.pb").write_bytes(found.SerializeToString())
    (view / "variables").symlink_to((saved_model / "variables").absolute())
    return view


def load(saved_model: Path, info: ModelInfo) -> FinishedModel:
    """Load a SavedModel that `export.save` wrote.

    Raises:
        AlgorithmError: It cannot be loaded.
    """
    try:
        # What this job wrote: its backbone was looked at, or is trusted.
        root = load_untrusted(saved_model, trust=True)
    except UserError as error:
        raise AlgorithmError(
            f"The finished model in {saved_model} cannot be loaded again: {first_line(error)}. Please report this."
        ) from error
    return FinishedModel(root, info)
