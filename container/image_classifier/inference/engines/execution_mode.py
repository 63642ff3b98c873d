"""How TensorFlow runs a network, which depends on the machine and on what the model was trained in."""

from dataclasses import dataclass

from image_classifier.artifacts import ModelInfo


@dataclass(frozen=True)
class ExecutionMode:
    """How a network is run."""

    half: bool = False
    """Multiply in float16 where TensorFlow's rewriter of graphs finds it safe; for the process as a whole."""
    batches: bool = False
    """Put what several threads ask at the same time into one batch."""


PLAIN = ExecutionMode()
"""float32, every call by itself: what the IR is compared with, and how CPUs serve."""


def execution_mode_of(info: ModelInfo, gpu: bool, exact: bool = False) -> ExecutionMode:
    """Choose by the device and by what the job recorded that it trained in; `exact` keeps float32."""
    return ExecutionMode(half=gpu and not exact and info.extra.get("mixed_precision") == "float16", batches=gpu)
