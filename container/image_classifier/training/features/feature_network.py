"""Feature extraction of a frozen backbone by TensorFlow, or by OpenVINO on CPUs for many images."""

import tempfile
import time
from collections.abc import Callable
from importlib import util
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from image_classifier.artifacts import ModelInfo
from image_classifier.contract.errors import first_line
from image_classifier.contract.plan_rules import OPENVINO_IMAGES
from image_classifier.inference.openvino_model import conversion
from image_classifier.inference.openvino_model.conversion import NotConverted
from image_classifier.training.data.decoding import Pixels
from image_classifier.training.distributed.cluster import Cluster
from image_classifier.training.model.backbone import Backbone
from image_classifier.training.progress import log

MIN_IMAGES = OPENVINO_IMAGES
TOLERANCE = 1e-4
"""Allowed difference of OpenVINO's features from TensorFlow's, relative to the largest feature or 1."""

Features = NDArray[np.float32]


class FeatureNetwork:
    """A backbone as a function from pixels uint8 (n, h, w, 3) to features float32 (n, feature count).

    Prepares OpenVINO at the first call, and computes those images with both engines; OpenVINO is used only if they
    agree.
    """

    def __init__(self, backbone: Backbone, cluster: Cluster, images: int, precision: str = "off") -> None:
        """Choose an engine for `images`, counted over all hosts; `precision` is the result of `precision.choose`."""
        self._backbone, self._cluster = backbone, cluster
        self._tensorflow = backbone.feature_function()
        reason = _reason_for_tensorflow(cluster, images, precision)
        self.planned_engine = "tensorflow" if reason else "openvino"
        """The engine to try: the same in every run of a job."""
        self.engine = "tensorflow"
        """The engine in use."""
        self.largest_difference: float | None = None
        """Between OpenVINO's and TensorFlow's features of the first images; None when OpenVINO was not tried."""
        self._run: Callable[[Pixels], Features] = self._with_tensorflow if reason else self._decide
        if reason:
            log(f"Features: computed by TensorFlow, since {reason}")

    def record(self) -> dict[str, Any]:
        """Return the record for the model info."""
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
            engine = converted(self._tensorflow, self._backbone.info)
            found = engine(pixels)
            self.largest_difference = _difference(expected, found)
        except NotConverted as failure:
            log(f"Features: computed by TensorFlow, since {failure}")
            return expected
        self._run, self.engine = engine, "openvino"
        log(
            f"Features: computed by OpenVINO, prepared in {time.monotonic() - started:.1f} s; on the first "
            f"{len(pixels)} images they differ from TensorFlow's by at most {self.largest_difference:.6f}"
        )
        return found


def converted(function: Any, info: ModelInfo) -> Callable[[Pixels], Features]:
    """Convert a compiled function from pixels to features to OpenVINO: float32, on all CPUs.

    Raises:
        NotConverted: OpenVINO cannot run it.
    """
    # TensorFlow's graph with constants, float32 and no devices, whatever training uses.
    from image_classifier.inference.engines import pixel_functions

    with tempfile.TemporaryDirectory(prefix="features-") as scratch:
        graph = Path(scratch) / "graph.pb"
        try:
            graph.write_bytes(pixel_functions.serialized(function.get_concrete_function()))
        except OSError:
            raise
        except Exception as error:  # freezing a graph fails with exceptions of many types
            raise NotConverted(f"it cannot be converted: {first_line(error)}") from error
        conversion.write(graph, Path(scratch) / "openvino")
        return conversion.load(Path(scratch) / "openvino", info).probabilities


def _reason_for_tensorflow(cluster: Cluster, images: int, precision: str) -> str | None:
    """Return why OpenVINO is not tried; None if it is."""
    if cluster.local_replicas > 1 or tf.config.list_physical_devices("GPU"):
        return "it runs on GPUs or several devices"
    if precision != "off":
        return f"OpenVINO computes in float32, and mixed_precision is {precision}"
    if images < MIN_IMAGES * cluster.count:
        return f"{images} images are too few to make up for the conversion"
    return None if util.find_spec("openvino") else "OpenVINO is not installed"


def _difference(expected: Features, found: Features) -> float:
    if found.shape != expected.shape:
        raise NotConverted(f"OpenVINO computes {found.shape[1]} features per image, TensorFlow {expected.shape[1]}")
    largest, allowed = float(np.abs(found - expected).max()), TOLERANCE * max(1.0, float(np.abs(expected).max()))
    # Negated, so that NaN fails too.
    if not largest <= allowed:
        raise NotConverted(f"OpenVINO's features differ from its own by up to {largest:.6f} (allowed: {allowed:.6f})")
    return largest
