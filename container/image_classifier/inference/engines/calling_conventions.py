"""How SavedModels want to be called: by which signature, which of its outputs, and what that output is.

Without TensorFlow: a signature is whatever has `structured_input_signature` and `structured_outputs`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from image_classifier.artifacts import FEATURES, LOGITS, PROBABILITIES, ModelInfo
from image_classifier.contract.errors import UserError

Function = Callable[[Any], Any]
"""In a graph, from uint8 pixels (n, h, w, 3) to what is made of them."""
PIXELS = "pixels"
"""The signature that takes uint8 pixels, ours."""
# Keys under which classifiers answer, the best first; "default" is what Hub modules of TensorFlow 1 use.
_PROBABILITY_KEYS = (PROBABILITIES, "scores", "predictions")
_OUTPUT_KEYS = (*_PROBABILITY_KEYS, LOGITS, "default", "output_0", "outputs")


@dataclass(frozen=True)
class Convention:
    """How a model is called."""

    call: Function
    """From uint8 pixels (n, h, w, 3) to a tuple: the answer (n, k), and pooled features (n, d) if it has any."""
    key: str | None
    """Of the answer among the outputs, when it has one."""


def find(loaded: Any, info: ModelInfo, where: object, prepare: Callable[[Any], Function]) -> Convention:
    """Find out how a loaded model is called, in the order of `tensorflow.load_engine`.

    Args:
        loaded: The model.
        info: What its model info says.
        where: Names it in errors.
        prepare: From the type that an input has, None for floats, to the function that makes it of pixels.

    Raises:
        UserError: It cannot be called with images, or the model info names what is not there.
    """
    signatures: dict[str, Any] = dict(getattr(loaded, "signatures", {}))
    has = f"it has the signatures {', '.join(sorted(signatures))}" if signatures else "it has no signatures"
    if info.signature and info.signature not in signatures:
        raise UserError(f"{where} has no signature {info.signature!r}, which its model info names; {has}.")
    by_type = {name: _only_input(function) for name, function in signatures.items()}
    strings = [name for name, given in by_type.items() if given and given.dtype.name == "string"]
    chosen = info.signature or (PIXELS if PIXELS in signatures else None) or _preferred(strings)
    if chosen is None and callable(loaded):
        return Convention(_first_output(loaded, prepare(None), info), info.output_key)
    chosen = chosen or _preferred([name for name, given in by_type.items() if given])
    if chosen is None:
        raise UserError(f"{where} cannot be called with images: {has}, none with one input.")
    function, given = signatures[chosen], by_type[chosen]
    if given is None:
        raise UserError(f"The signature {chosen!r} of {where} does not take exactly one input.")
    key = _output_key(function, info, where)
    tells_features = chosen == PIXELS and key != FEATURES and FEATURES in function.structured_outputs
    keys = (key, FEATURES) if tells_features else (key,)
    return Convention(_by_signature(function, given.name, prepare(given.dtype), keys), key)


def activated(call: Function, activation: Function) -> Function:
    """Return `Convention.call` with `activation` applied to the answer."""

    def with_activation(pixels: Any) -> tuple[Any, ...]:
        answer, *others = call(pixels)
        return (activation(answer), *others)

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
    """Read the output of a Hub model: a tensor, a tuple that begins with it, or a mapping."""

    def call(pixels: Any) -> tuple[Any, ...]:
        output = loaded(prepare(pixels))
        if isinstance(output, Mapping):
            key = info.output_key or next((name for name in _OUTPUT_KEYS if name in output), None)
            if key not in output:
                raise ValueError(f"its output has the keys {', '.join(sorted(output))}; name one as output_key")
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
            f"The signature of {where} answers {', '.join(sorted(keys))}; name one of them as output_key in its model "
            f"info (given: {info.output_key})."
        )
    return str(key)


def kind(key: str | None, recorded: str | None, answer: NDArray[np.float32]) -> str:
    """Say whether an answer (n, k) is "probabilities" or "logits": by its key, by the model info, by its values."""
    # The key first: a model may answer logits when it is called and probabilities by its signature.
    if key == "logits" or key in _PROBABILITY_KEYS:
        return "logits" if key == "logits" else "probabilities"
    if recorded:
        return recorded
    within = bool(((answer >= 0) & (answer <= 1)).all())
    adds_up = answer.shape[1] == 1 or bool((np.abs(answer.sum(axis=1) - 1) < 1e-3).all())
    return "probabilities" if within and adds_up else "logits"
