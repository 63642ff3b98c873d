"""An OpenVINO IR as NNCF quantises it, by one of several methods.

The only module that imports NNCF, which the serve image lacks.
"""

import contextlib
import importlib.util
import io
import logging
import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from image_classifier import artifacts, own_files
from image_classifier.evaluation import stratified
from image_classifier.inference.engines import openvino_errors
from image_classifier.inference.openvino_model import conversion, head_refit
from image_classifier.inference.openvino_model.agreement import two_columns
from image_classifier.inference.openvino_model.precision_record import Gate

Pixels = NDArray[np.uint8]

STATISTICS_IMAGES = 300
"""Most training images that the last layer is refitted on, and that rank layers for accuracy control."""
RANGE_IMAGES = 64
"""Most of them whose activations set the ranges: more came no closer to float32, see note 38."""
FAST, FULL, HISTOGRAM, CONTROL = STEPS = (
    "fast bias correction",
    "full bias correction",
    "histogram ranges",
    "accuracy control",
)
"""The rungs of the ladder, from the cheapest to the dearest; accuracy control leaves some layers in float32."""
FIRST_CONVOLUTIONS = 2
"""Convolutions next to the pixels that stay in float32: what they lose, all later layers see. See note 38."""
_CONTROL_DROP = 0.01
"""Share of other top-1 predictions that accuracy control aims at: half of what the gate allows."""
_TRANSFORMER = {"ScaledDotProductAttention"}
_UNBOUNDED = {"Swish", "HSwish", "Gelu", "Elu", "Mish"}
"""Activations with negative values, for which asymmetric ranges lose less."""


def is_installed() -> bool:
    """Return whether NNCF is installed, without importing it."""
    return importlib.util.find_spec("nncf") is not None


class NotQuantised(Exception):  # noqa: N818 - for a job it is not an error
    """There is no int8 IR; the text is the reason, without a full stop."""

    def __init__(self, reason: str, gate: Gate | None = None) -> None:
        super().__init__(reason)
        self.gate = gate
        """Figures of the last rung that was judged."""


def load() -> None:
    """Import NNCF, which takes seconds: before the first `Network` where that is not there yet.

    Raises:
        NotQuantised: It is not installed.
    """
    # Otherwise NNCF sends usage statistics.
    os.environ.setdefault("NNCF_CI", "1")
    try:
        import nncf
    except ImportError as error:
        raise NotQuantised("NNCF is not installed here") from error
    nncf.set_log_level(logging.ERROR)


class OutOfTime(Exception):  # noqa: N818 - ends a rung
    """The rung has no time left."""


@dataclass(frozen=True)
class Network:
    """A float32 IR, and the training images that it is quantised with."""

    source: Path
    """The folder of the IR."""
    statistics: Pixels
    """uint8 (n, h, w, 3); evenly spaced ones of them, at most `RANGE_IMAGES`, set the ranges."""
    deadline: float
    """Time of `time.monotonic` when a method is given up."""
    features: NDArray[np.float32] | None = None
    """The float32 network's features of `statistics`, (n, D); computed when they are not given."""
    whole_range: bool = False
    """Whether weights use the whole 8-bit range, at which CPUs without instructions for int8 saturate."""

    def __post_init__(self) -> None:
        load()

    def write(self, step: str, partial: Path) -> int:
        """Quantise by one of `STEPS`, refit the last layer, and write the IR into the folder `partial`.

        Returns the number of images that the last layer was refitted on, see `head_refit.refit`.

        Raises:
            NotQuantised: NNCF fails.
            OutOfTime: The deadline has passed.
            OSError: The disk is full or not writable.
        """
        try:
            # NNCF draws progress bars, which are neither a command's output nor a job's log.
            with contextlib.redirect_stdout(io.StringIO()):
                quantised = self._quantised(step)
            images = head_refit.refit(quantised, self._model(), self.statistics, self.features, self._check_time)
            # Like every IR: serving compiles it for its own batch size.
            quantised.reshape([-1, *self.statistics.shape[1:]])
            own_files.remove_folder(partial)
            partial.mkdir()
            conversion.save(quantised, partial)
            return images
        except (OSError, OutOfTime):
            raise
        except Exception as error:  # NNCF fails with exceptions of many types; the float32 IR serves
            raise NotQuantised(f"NNCF cannot quantise it with {step}: {openvino_errors.reason(error)}") from error

    def _quantised(self, step: str) -> Any:
        import nncf

        model = self._model()
        ranges = stratified.evenly_spaced(len(self.statistics), min(RANGE_IMAGES, len(self.statistics)))
        options: dict[str, Any] = {
            "subset_size": len(ranges),
            "fast_bias_correction": step != FULL,
            "ignored_scope": nncf.IgnoredScope(
                names=[*head_operations(model), *first_convolutions(model)], validate=False
            ),
            **_traits(model),
        }
        advanced = self._advanced(histogram=step == HISTOGRAM)
        dataset = nncf.Dataset(ranges.tolist(), self._one)
        if step != CONTROL:
            return nncf.quantize(model, dataset, advanced_parameters=advanced, **options)
        return nncf.quantize_with_accuracy_control(
            model,
            dataset,
            nncf.Dataset(range(len(self.statistics)), self._one),
            self._similarity(model),
            max_drop=_CONTROL_DROP,
            drop_type=nncf.DropType.ABSOLUTE,
            advanced_quantization_parameters=advanced,
            **options,
        )

    def _model(self) -> Any:
        import openvino

        model = openvino.Core().read_model(*(self.source / name for name in artifacts.OPENVINO_FILES))
        model.reshape([1, *self.statistics.shape[1:]])
        return model

    def _advanced(self, histogram: bool) -> Any:
        from nncf import AdvancedQuantizationParameters, OverflowFix
        from nncf.quantization.advanced_parameters import AdvancedSmoothQuantParameters
        from nncf.quantization.range_estimator import RangeEstimatorParametersSet

        ranges = {"activations_range_estimator_params": RangeEstimatorParametersSet.HISTOGRAM} if histogram else {}
        return AdvancedQuantizationParameters(
            overflow_fix=OverflowFix.DISABLE if self.whole_range else OverflowFix.ENABLE,
            smooth_quant_alphas=AdvancedSmoothQuantParameters(convolution=-1, matmul=-1),
            **ranges,
        )

    def _check_time(self) -> None:
        if time.monotonic() > self.deadline:
            raise OutOfTime

    def _one(self, row: int) -> Pixels:
        self._check_time()
        return self.statistics[row : row + 1]

    def _similarity(self, float32: Any) -> Callable[[Any, Iterable[Any]], tuple[float, list[float]]]:
        """Return NNCF's validation function: agreement with float32 on training images, since the gate has the others.

        The metric is the share of equal top-1 predictions; layers are ranked by 1 - half of the summed |Δp|.
        """
        import openvino

        compiled = openvino.Core().compile_model(float32, "CPU")
        expected = np.concatenate([self._probabilities(compiled, row) for row in range(len(self.statistics))])

        def measure(model: Any, rows: Iterable[Any]) -> tuple[float, list[float]]:
            chosen = [int(row) for row in rows]
            found = np.concatenate([self._probabilities(model, row) for row in chosen])
            same = found.argmax(axis=1) == expected[chosen].argmax(axis=1)
            similar = 1 - np.abs(found - expected[chosen]).sum(axis=1) / 2
            return float(same.mean()), [float(value) for value in similar]

        return measure

    def _probabilities(self, compiled: Any, row: int) -> NDArray[np.float32]:
        return two_columns(np.array(compiled(self._one(row))[0], np.float32))


def head_operations(model: Any) -> list[str]:
    """Return the names of the last matrix products or convolutions in front of the probabilities of an IR."""
    return [node.get_friendly_name() for node in head_refit.head_nodes(model)]


def first_convolutions(model: Any) -> list[str]:
    """Return the names of the `FIRST_CONVOLUTIONS` of an IR that come first, depthwise ones included.

    None of a network that has few: nothing of it would be left to quantise.
    """
    kinds = ("Convolution", "GroupConvolution")
    found = [node.get_friendly_name() for node in model.get_ordered_ops() if node.get_type_name() in kinds]
    return found[:FIRST_CONVOLUTIONS] if len(found) > 2 * FIRST_CONVOLUTIONS else []


def _traits(model: Any) -> Mapping[str, Any]:
    """Return the options of NNCF that depend on the kind of the network."""
    import nncf

    kinds = [operation.get_type_name() for operation in model.get_ops()]
    if _TRANSFORMER & set(kinds) or kinds.count("Softmax") > 1:
        return {"model_type": nncf.ModelType.TRANSFORMER}
    return {"preset": nncf.QuantizationPreset.MIXED} if _UNBOUNDED & set(kinds) else {}
