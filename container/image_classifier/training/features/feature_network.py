"""What computes a frozen backbone's features: TensorFlow, or on CPU OpenVINO where the images are many."""

import tempfile
import time
from collections.abc import Callable
from importlib import util
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from image_classifier.contract.errors import first_line
from image_classifier.inference.openvino_model import conversion
from image_classifier.inference.openvino_model.conversion import NotConverted
from image_classifier.training.data.decoding import Pixels
from image_classifier.training.distributed.cluster import Cluster
from image_classifier.training.model.backbone import Backbone
from image_classifier.training.progress import log

PAYS_FROM = 600
"""Images of one host from which the conversion is paid back; measured in docs/decisions/0010-feature-pass.md."""
TOLERANCE = 1e-4
"""How far OpenVINO's features may be from TensorFlow's, as a share of the largest feature, or of 1 if that is less."""

Features = NDArray[np.float32]


class FeatureNetwork:
    """A backbone as a function from pixels uint8 (n, h, w, 3) to features float32 (n, feature count).

    OpenVINO is made ready at the first call, and asked about those images beside TensorFlow, whose place it takes
    only when both say the same.
    """

    def __init__(self, backbone: Backbone, cluster: Cluster, images: int, precision: str = "off") -> None:
        """Plan for `images` on all hosts; `precision` is what `precision.choose` chose for the training."""
        self._backbone, self._cluster = backbone, cluster
        self._tensorflow = backbone.feature_function()
        lack = _lack(cluster, images, precision)
        self.planned = "tensorflow" if lack else "openvino"
        """Which engine is meant to compute: alike whenever the same job is started again."""
        self.engine = "tensorflow"
        """Which engine computes."""
        self.largest_difference: float | None = None
        """Between OpenVINO's and TensorFlow's features of the first images; None when only TensorFlow was asked."""
        self._run: Callable[[Pixels], Features] = self._with_tensorflow if lack else self._decide
        if lack:
            log(f"Features: TensorFlow computes them, since {lack}")

    def record(self) -> dict[str, Any]:
        """Return what the model info keeps of it."""
        return {"engine": self.engine, "largest_difference": self.largest_difference}

    def __call__(self, pixels: Pixels) -> Features:
        """Compute on all devices of this host."""
        return self._run(pixels)

    def _with_tensorflow(self, pixels: Pixels) -> Features:
        return np.asarray(self._cluster.map_rows(self._tensorflow, pixels), np.float32)

    def _decide(self, pixels: Pixels) -> Features:
        started = time.monotonic()
        self._run = self._with_tensorflow
        expected = self._with_tensorflow(pixels)
        try:
            engine = self._converted()
            found = engine(pixels)
            self.largest_difference = _difference(expected, found)
        except NotConverted as failure:
            log(f"Features: TensorFlow computes them, since {failure}")
            return expected
        self._run, self.engine = engine, "openvino"
        log(
            f"Features: OpenVINO computes them, made ready in {time.monotonic() - started:.1f} s; those of the first "
            f"{len(pixels)} images differ from TensorFlow's by at most {self.largest_difference:.6f}"
        )
        return found

    def _converted(self) -> Callable[[Pixels], Features]:
        # TensorFlow's, but without the devices and the types that training uses: constants and float32.
        from image_classifier.inference.engines import pixel_functions

        with tempfile.TemporaryDirectory(prefix="features-") as scratch:
            graph = Path(scratch) / "graph.pb"
            try:
                graph.write_bytes(pixel_functions.serialized(self._tensorflow.get_concrete_function()))
            except OSError:
                raise
            except Exception as error:  # whatever a network makes TensorFlow's freezing stumble over
                raise NotConverted(f"it cannot be converted: {first_line(error)}") from error
            conversion.write(graph, Path(scratch) / "openvino")
            return conversion.load(Path(scratch) / "openvino", self._backbone.info).probabilities


def _lack(cluster: Cluster, images: int, precision: str) -> str | None:
    """Say why OpenVINO is not even tried."""
    if cluster.local_replicas > 1 or tf.config.list_physical_devices("GPU"):
        return "it has the devices for it"
    if precision != "off":
        return f"OpenVINO is for jobs in float32, and this one's mixed_precision is {precision}"
    if images < PAYS_FROM * cluster.count:
        return f"{images} images are too few for a conversion to pay"
    return None if util.find_spec("openvino") else "OpenVINO is not installed"


def _difference(expected: Features, found: Features) -> float:
    if found.shape != expected.shape:
        raise NotConverted(f"OpenVINO answers {found.shape[1]} features for an image, TensorFlow {expected.shape[1]}")
    largest, allowed = float(np.abs(found - expected).max()), TOLERANCE * max(1.0, float(np.abs(expected).max()))
    # Written so that NaN fails too.
    if not largest <= allowed:
        raise NotConverted(f"OpenVINO's features differ from its own by up to {largest:.6f} (allowed: {allowed:.6f})")
    return largest
