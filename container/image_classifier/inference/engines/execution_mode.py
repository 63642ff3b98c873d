"""How TensorFlow runs a network: chosen by the device and by the precision that the model was trained in."""

from dataclasses import dataclass

from image_classifier.artifacts import ModelInfo


@dataclass(frozen=True)
class ExecutionMode:
    """Precision and batching of a TensorFlow engine."""

    float16: bool = False
    """Automatic mixed precision: float16 where TensorFlow's graph rewriter considers it safe. Set process-wide."""
    dynamic_batching: bool = False
    """Merge concurrent calls of several threads into one batch."""


PLAIN = ExecutionMode()
"""float32 without batching: the reference for the OpenVINO IR, and how CPUs serve."""


def execution_mode_of(info: ModelInfo, gpu: bool, force_float32: bool = False) -> ExecutionMode:
    """Choose the mode by device and by the training precision in the model info; `force_float32` overrides both."""
    float16 = gpu and not force_float32 and info.extra.get("mixed_precision") == "float16"
    return ExecutionMode(float16=float16, dynamic_batching=gpu)
