"""Calling conventions of SavedModels: which signature to call, which output to read, and what that output means.

TensorFlow is not imported: a signature is any object with `structured_input_signature` and `structured_outputs`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from image_classifier.artifacts import FEATURES, LOGITS, PROBABILITIES, ModelInfo
from image_classifier.contract.errors import UserError

Function = Callable[[Any], Any]
"""Graph function on uint8 pixels (n, h, w, 3)."""
PIXELS = "pixels"
"""Our own signature, which takes uint8 pixels."""
# Output keys of classifiers in order of preference; "default" is what TensorFlow 1 Hub modules use.
_PROBABILITY_KEYS = (PROBABILITIES, "scores", "predictions")
_OUTPUT_KEYS = (*_PROBABILITY_KEYS, LOGITS, "default", "output_0", "outputs")


@dataclass(frozen=True)
class Convention:
    """How to call one model."""

    call: Function
    """From uint8 pixels (n, h, w, 3) to a tuple: the output (n, k) and, where exposed, the pooled features (n, d)."""
    key: str | None
    """Key of that output, None for a model without named outputs."""


def find(loaded: Any, info: ModelInfo, where: object, prepare: Callable[[Any], Function]) -> Convention:
    """Determine the calling convention of a loaded model, in the order that `tensorflow.load_engine` documents.

    Args:
        loaded: The model.
        info: Its model info.
        where: The model's location, for errors.
        prepare: Maps the dtype of an input (None: float) to the function that converts pixels to it.

    Raises:
        UserError: The model cannot be called with images, or lacks the signature or output that its model info names.
    """
    signatures: dict[str, Any] = dict(getattr(loaded, "signatures", {}))
    has = f"it has the signatures {', '.join(sorted(signatures))}" if signatures else "it has no signatures"
    if info.signature and info.signature not in signatures:
        raise UserError(
            f"{where} lacks the signature {info.signature!r} that its model info names; {has}. Correct the model info."
        )
    by_type = {name: _only_input(function) for name, function in signatures.items()}
    strings = [name for name, given in by_type.items() if given and given.dtype.name == "string"]
    chosen = info.signature or (PIXELS if PIXELS in signatures else None) or _preferred(strings)
    if chosen is None and callable(loaded):
        return Convention(_first_output(loaded, prepare(None), info), info.output_key)
    chosen = chosen or _preferred([name for name, given in by_type.items() if given])
    if chosen is None:
        raise UserError(
            f"{where} cannot be called with images: {has}, none of which takes exactly one input. Export it "
            "with one that does."
        )
    function, given = signatures[chosen], by_type[chosen]
    if given is None:
        raise UserError(
            f"The signature {chosen!r} of {where} does not take exactly one input. Name another in the model info."
        )
    key = _output_key(function, info, where)
    tells_features = chosen == PIXELS and key != FEATURES and FEATURES in function.structured_outputs
    keys = (key, FEATURES) if tells_features else (key,)
    return Convention(_by_signature(function, given.name, prepare(given.dtype), keys), key)


def of_encoded(loaded: Any, info: ModelInfo, where: object) -> tuple[Function, str] | None:
    """Return a model's own function from encoded images, a string tensor (n,), to its output (n, k), and its key.

    None without a signature that takes encoded images.

    Raises:
        UserError: It lacks the output that its model info names.
    """
    signatures: dict[str, Any] = dict(getattr(loaded, "signatures", {}))
    inputs = {name: given for name, function in signatures.items() if (given := _only_input(function))}
    strings = [name for name, given in inputs.items() if given.dtype.name == "string"]
    chosen = info.signature if info.signature in strings else _preferred(strings)
    if chosen is None:
        return None
    key = _output_key(signatures[chosen], info, where)
    return (lambda encoded: signatures[chosen](**{inputs[chosen].name: encoded})[key]), key


def activated(call: Function, activation: Function) -> Function:
    """Return `Convention.call` with `activation` applied to the output."""

    def with_activation(pixels: Any) -> tuple[Any, ...]:
        output, *others = call(pixels)
        return (activation(output), *others)

    return with_activation


@dataclass(frozen=True)
class _Input:
    name: str
    dtype: Any


def _only_input(function: Any) -> _Input | None:
    _, named = function.structured_input_signature
    return next((_Input(name, found.dtype) for name, found in named.items()), None) if len(named) == 1 else None


def _preferred(names: list[str]) -> str | None:
    known = ("serving_default", "image_classification", "default")
    return next((name for name in known if name in names), names[0] if len(names) == 1 else None)


def _by_signature(function: Any, argument: str, prepare: Function, keys: tuple[str, ...]) -> Function:
    def call(pixels: Any) -> tuple[Any, ...]:
        found = function(**{argument: prepare(pixels)})
        return tuple(found[name] for name in keys)

    return call


def _first_output(loaded: Function, prepare: Function, info: ModelInfo) -> Function:
    """Read the output of a Hub model: a tensor, the first element of a tuple, or an entry of a mapping."""

    def call(pixels: Any) -> tuple[Any, ...]:
        output = loaded(prepare(pixels))
        if isinstance(output, Mapping):
            key = info.output_key or next((name for name in _OUTPUT_KEYS if name in output), None)
            if key not in output:
                raise ValueError(f"its outputs are {', '.join(sorted(output))}; set output_key to one of them")
            return (output[key],)
        return (output[0] if isinstance(output, tuple | list) else output,)

    return call


def _output_key(function: Any, info: ModelInfo, where: object) -> str:
    keys = list(function.structured_outputs)
    wanted = (info.output_key,) if info.output_key else _OUTPUT_KEYS
    key = next((name for name in wanted if name in keys), None)
    if key is None and len(keys) == 1 and not info.output_key:
        key = keys[0]
    if key is None:
        raise UserError(
            f"The signature of {where} has the outputs {', '.join(sorted(keys))}. Set output_key in its model info to "
            f"one of them (given: {info.output_key})."
        )
    return str(key)


def kind(key: str | None, recorded: str | None, answer: NDArray[np.float32]) -> str:
    """Classify an output (n, k) as "probabilities" or "logits": by its key, else the model info, else its values."""
    # The key first: a model may return logits when called directly and probabilities from its signature.
    if key == "logits" or key in _PROBABILITY_KEYS:
        return "logits" if key == "logits" else "probabilities"
    if recorded:
        return recorded
    within = bool(((answer >= 0) & (answer <= 1)).all())
    adds_up = answer.shape[1] == 1 or bool((np.abs(answer.sum(axis=1) - 1) < 1e-3).all())
    return "probabilities" if within and adds_up else "logits"
