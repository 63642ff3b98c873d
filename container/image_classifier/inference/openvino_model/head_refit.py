"""Refit the last layer of a quantised network to its own features, so that its logits come closest to float32's.

What the layers before it lose changes the features of all images partly alike, which a linear layer can undo. The layer
computes in float32, so its weights may be others than those of the float32 network.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from image_classifier import artifacts

Matrix = NDArray[np.float64]

STRENGTHS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
"""Tried strengths of the regularisation, in mean eigenvalues of the features' Gram matrix."""
_HEADS = ("MatMul", "Convolution")
_BATCH = 20


@dataclass(frozen=True)
class Change:
    """What is added to the weights of a linear layer."""

    kernel: Matrix
    """(D, K)."""
    bias: Matrix
    """(K,)."""


def head_nodes(model: Any) -> list[Any]:
    """Return the last matrix products or convolutions in front of the probabilities of an IR, by name."""
    found, waiting, seen = [], [model.output(artifacts.PROBABILITIES).get_node()], set()
    while waiting:
        node = waiting.pop()
        name = node.get_friendly_name()
        if name in seen:
            continue
        seen.add(name)
        if node.get_type_name() in _HEADS:
            found.append(node)
        else:
            waiting += [node.input_value(index).get_node() for index in range(node.get_input_size())]
    return sorted(found, key=lambda node: str(node.get_friendly_name()))


def linear_head(model: Any) -> Any | None:
    """Return the matrix product of features (n, D) and a constant kernel that is an IR's only head, else None."""
    nodes = head_nodes(model)
    if len(nodes) != 1 or nodes[0].get_type_name() != "MatMul" or nodes[0].get_attributes()["transpose_a"]:
        return None
    ranks = [nodes[0].input_value(index).get_partial_shape().rank.get_length() for index in (0, 1)]
    return nodes[0] if ranks == [2, 2] and nodes[0].input_value(1).get_node().get_type_name() == "Constant" else None


def kernel_of(head: Any) -> Matrix:
    """Return the kernel of a head, (D, K)."""
    stored = np.array(head.input_value(1).get_node().data, np.float64)
    return stored.T if head.get_attributes()["transpose_b"] else stored


def features_of(model: Any, pixels: NDArray[np.uint8], check: Callable[[], None] = lambda: None) -> Matrix:
    """Return what the linear head of an IR gets for pixels, uint8 (n, h, w, 3), as (n, D).

    `check` is called before each batch and may raise.
    """
    import openvino
    from openvino import opset13 as operations

    copy = model.clone()
    copy.reshape([-1, *pixels.shape[1:]])
    head = linear_head(copy)
    assert head is not None
    below = openvino.Model([operations.result(head.input_value(0))], copy.get_parameters(), "below the head")
    compiled = openvino.Core().compile_model(below, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    found = []
    for start in range(0, len(pixels), _BATCH):
        check()
        found.append(np.array(compiled(pixels[start : start + _BATCH])[0], np.float64))
    return np.concatenate(found)


def fitted(features: Matrix, missing: Matrix) -> Change | None:
    """Fit what the logits of features (n, D) miss, (n, K), by ridge regression with an intercept.

    The strength, among them no kernel at all, is that of the smallest leave-one-out error (Hastie, Tibshirani and
    Friedman, The elements of statistical learning, 2009, 7.10), as every fit is linear in `missing`. None where leaving
    the layer as it is has a smaller one still. Needs at least 2 images.
    """
    count, centre = len(features), features.mean(axis=0)
    rows, mean = features - centre, missing.mean(axis=0)
    values, vectors = np.linalg.eigh(rows @ rows.T)
    values = np.clip(values, 0, None)
    turned = vectors.T @ (missing - mean)
    smallest, best = float((missing**2).mean()), None
    without_kernel = float((((missing - mean) * count / (count - 1)) ** 2).mean())
    if without_kernel < smallest:
        smallest, best = without_kernel, Change(np.zeros((features.shape[1], missing.shape[1])), mean)
    for strength in STRENGTHS if values.mean() else ():
        shrinking = strength * values.mean()
        dual = vectors @ (turned / (values + shrinking)[:, None])
        leverage = 1 / count + vectors**2 @ (values / (values + shrinking))
        error = float(((shrinking * dual / (1 - leverage)[:, None]) ** 2).mean())
        if error < smallest:
            kernel = rows.T @ dual
            smallest, best = error, Change(kernel, mean - centre @ kernel)
    return best


def install(head: Any, change: Change) -> None:
    """Add a change to the linear head of an IR, in place."""
    from openvino import opset13 as operations

    kernel = (kernel_of(head) + change.kernel).astype(np.float32)
    stored = np.ascontiguousarray(kernel.T if head.get_attributes()["transpose_b"] else kernel)
    head.input(1).replace_source_output(operations.constant(stored).output(0))
    consumers = list(head.output(0).get_target_inputs())
    moved = operations.add(head.output(0), operations.constant(change.bias.astype(np.float32)[np.newaxis]))
    for consumer in consumers:
        consumer.replace_source_output(moved.output(0))


def refit(
    quantised: Any,
    float32: Any,
    pixels: NDArray[np.uint8],
    features: NDArray[np.float32] | None = None,
    check: Callable[[], None] = lambda: None,
) -> int:
    """Refit the head of a quantised IR to that of its float32 IR, in place; return how many images it was fitted on.

    Args:
        quantised: The IR, whose head is not quantised.
        float32: The IR that it was made of.
        pixels: Training images, uint8 (n, h, w, 3).
        features: The features of `float32` for them, (n, D); computed when its head takes others, or for None.
        check: Called before each batch; may raise.

    Returns:
        0 where the head has another form than `linear_head`, or is best left as it is.
    """
    head = linear_head(quantised)
    if head is None or linear_head(float32) is None or len(pixels) < 2:
        return 0
    known = features is not None and _takes_features(float32, features.shape[1])
    expected = np.asarray(features, np.float64) if known else features_of(float32, pixels, check)
    found = features_of(quantised, pixels, check)
    missing = (expected - found) @ kernel_of(head)
    if missing.shape[1] > 1:
        # Of no influence on the softmax.
        missing -= missing.mean(axis=1, keepdims=True)
    change = fitted(found, missing)
    if change is None:
        return 0
    install(head, change)
    return len(pixels)


def _takes_features(float32: Any, dimensions: int) -> bool:
    """Return whether the head of an IR takes the IR's own output `features`, of so many dimensions."""
    head = linear_head(float32)
    named = [output.get_node().input_value(0) for output in float32.outputs if artifacts.FEATURES in output.get_names()]
    same = [source for source in named if head is not None and source == head.input_value(0)]
    return bool(same) and kernel_of(head).shape[0] == dimensions
