"""In which type and by which compiler the training step computes, and whether it always rounds alike.

Keras' mixed-precision policies do not reach into a Hub layer, whose graph is made already; TensorFlow's own rewriter
of graphs, Grappler's auto_mixed_precision, does. It leaves variables, and what needs their range, in float32.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import tensorflow as tf

from image_classifier.contract.errors import UserError
from image_classifier.contract.hyperparameters import Hyperparameters
from image_classifier.training.devices.accelerators import Gpu

LEAST_CAPABILITY = (7, 0)
"""The first compute capability with tensor cores; below it TensorFlow's rewriter leaves float32."""
_REWRITERS = {"float16": "auto_mixed_precision", "bfloat16": "auto_mixed_precision_onednn_bfloat16"}


def choose(values: Hyperparameters, gpus: Sequence[Gpu]) -> str:
    """Return "off", "float16" or "bfloat16", by the hyperparameter and the GPUs of this host.

    Raises:
        UserError: A type was asked for that these devices do not compute in.
    """
    asked = values.mixed_precision
    slow = [str(gpu) for gpu in gpus if not _has_tensor_cores(gpu)]
    if asked == "auto":
        return "float16" if gpus and not slow else "off"
    problem = None
    if asked == "float16" and not gpus:
        problem = "needs a GPU, and this machine shows none; allowed: auto, off or bfloat16"
    elif asked == "float16" and slow:
        problem = f"needs GPUs of compute capability 7.0 or more, and here is {', '.join(slow)}; allowed: auto or off"
    elif asked == "bfloat16" and gpus:
        problem = "is for CPUs, since TensorFlow rewrites for GPUs to float16 alone; allowed here: auto, off or float16"
    if problem:
        raise UserError(f"mixed_precision={asked} {problem}.")
    return asked


@contextmanager
def applied(kind: str, xla: str = "off") -> Iterator[None]:
    """Let the functions that this thread calls inside the block compute in `kind`, which `choose` returned.

    With `xla` "on" XLA compiles the parts of them that it can. The same function, called outside, computes in float32
    and is not compiled: what is measured, and compared with the finished model, should not be rounded to a few bits.
    """
    if kind == xla == "off":
        yield
        return
    _switch_on(kind, xla)
    try:
        yield
    finally:
        _switch_on("off")


def _switch_on(kind: str, xla: str = "off") -> None:
    """Do what `used` does, until told otherwise."""
    tf.config.optimizer.set_experimental_options({option: kind == name for name, option in _REWRITERS.items()})
    # Parts, not a function as a whole: through a Hub layer's gradient that would be compiled anew in each step, since
    # the layer's inputs then count as constants; and it could hold neither augmentation nor sums over devices.
    tf.config.optimizer.set_jit("autoclustering" if xla == "on" else False)


def make_deterministic(values: Hyperparameters) -> None:
    """Seed what a network draws itself, and let equal operations give equal bits when the job asks for it.

    To be called before the first operation. What a SavedModel draws without a seed of its own stays random, and is
    rejected in the first step of a deterministic job.
    """
    tf.random.set_seed(values.random_seed)
    if values.deterministic:
        tf.config.experimental.enable_op_determinism()


def _has_tensor_cores(gpu: Gpu) -> bool:
    if not gpu.compute_capability:
        return False
    major, _, minor = gpu.compute_capability.partition(".")
    return (int(major), int(minor or 0)) >= LEAST_CAPABILITY
