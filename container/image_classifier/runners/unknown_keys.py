"""Keys of an experiment's file that are not known: a sentence for each, with the one that was probably meant."""

import difflib
from collections.abc import Iterable, Sequence

from image_classifier.contract import hyperparameters

_ALSO = {alias for declared in hyperparameters.DECLARATIONS for alias in (declared.name, *declared.aliases)}


def sentences(shown: Iterable[tuple[str, str]], allowed: Sequence[str], where: str) -> list[str]:
    """Return a sentence for each key that is not allowed.

    Args:
        shown: Each key, and how a message shows it.
        allowed: The keys that are.
        where: The place: `""` for the top level of the file, or a table such as `[sagemaker]`.
    """
    place = f" in {where}" if where else ""
    return [f"Unknown key {text}{place}. {_hint(key, allowed)}" for key, text in shown if key not in allowed]


def _hint(key: str, allowed: Sequence[str]) -> str:
    if key.strip().replace("-", "_") in _ALSO:
        return "It is a hyperparameter: write it below [hyperparameters]."
    near = difflib.get_close_matches(key.lower(), allowed, n=1, cutoff=0.5)
    return f"Did you mean {near[0]}?" if near else f"Expected one of: {', '.join(allowed) or 'none'}."
