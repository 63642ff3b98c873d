"""Mixed precision, XLA and determinism of the training step.

Keras' mixed-precision policies have no effect in a Hub layer, whose graph already exists; TensorFlow's graph rewriter,
Grappler's auto_mixed_precision, has. It leaves variables, and operations that need their range, in float32.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import tensorflow as tf

from image_classifier.contract.errors import UserError
from image_classifier.contract.hyperparameters import Hyperparameters
from image_classifier.resources import processors
from image_classifier.training.devices.accelerators import Gpu

MIN_CAPABILITY = (7, 0)
"""The first compute capability with tensor cores; below it TensorFlow's rewriter keeps float32."""
_REWRITERS = {"float16": "auto_mixed_precision", "bfloat16": "auto_mixed_precision_onednn_bfloat16"}


def choose(values: Hyperparameters, gpus: Sequence[Gpu], cpu_has_bfloat16: bool | None = None) -> str:
    """Return "off", "float16" or "bfloat16", by the hyperparameter and the devices of this host.

    Args:
        values: The hyperparameters.
        gpus: The GPUs of this host.
        cpu_has_bfloat16: Whether its CPU has bfloat16 instructions; None: see `processors.has_bfloat16`.

    Raises:
        UserError: These devices do not support the given type.
    """
    given = values.mixed_precision
    slow = [str(gpu) for gpu in gpus if not _has_tensor_cores(gpu)]
    if given == "auto":
        return "float16" if gpus and not slow else "off"
    problem = None
    if given == "float16" and not gpus:
        problem = "needs a GPU, and this machine has none; allowed: auto, off or bfloat16"
    elif given == "float16" and slow:
        problem = (
            f"needs GPUs of compute capability 7.0 or more; this machine has {', '.join(slow)}; allowed: auto or off"
        )
    elif given == "bfloat16" and gpus:
        problem = (
            "is for CPUs, since TensorFlow rewrites graphs for GPUs only to float16; allowed here: auto, off or float16"
        )
    elif given == "bfloat16" and not (processors.has_bfloat16() if cpu_has_bfloat16 is None else cpu_has_bfloat16):
        # TensorFlow would silently keep float32.
        problem = (
            "needs a CPU with bfloat16 instructions (avx512_bf16 or amx_bf16), and this one has none; allowed here: "
            "auto or off"
        )
    if problem:
        raise UserError(f"mixed_precision={given} {problem}.")
    return given


@contextmanager
def applied(kind: str, xla: str = "off") -> Iterator[None]:
    """Let functions that this thread calls in the block compute in `kind`, a result of `choose`.

    With `xla` "on" XLA compiles the parts that it can. Outside the block the same function computes in float32 and is
    not compiled, since metrics and the comparison with the exported model need full precision.
    """
    if kind == xla == "off":
        yield
        return
    _configure(kind, xla)
    try:
        yield
    finally:
        _configure("off")


def _configure(kind: str, xla: str = "off") -> None:
    """Apply both settings until the next call."""
    tf.config.optimizer.set_experimental_options({option: kind == name for name, option in _REWRITERS.items()})
    # Autoclustering, not jit_compile of a whole function: the gradient of a Hub layer turns inputs into constants, so
    # that it would be recompiled in each step, and it could contain neither augmentation nor all-reduce.
    tf.config.optimizer.set_jit("autoclustering" if xla == "on" else False)


def make_deterministic(values: Hyperparameters) -> None:
    """Seed TensorFlow's global generator, and enable deterministic operations if the job asks for them.

    Call it before the first operation. Random operations without a seed inside a SavedModel stay random; the first step
    of a deterministic job rejects them.
    """
    tf.random.set_seed(values.random_seed)
    if values.deterministic:
        tf.config.experimental.enable_op_determinism()


def _has_tensor_cores(gpu: Gpu) -> bool:
    if not gpu.compute_capability:
        return False
    major, _, minor = gpu.compute_capability.partition(".")
    return (int(major), int(minor or 0)) >= MIN_CAPABILITY
