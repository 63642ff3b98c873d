"""Hyperparameters and environment variables as words of a command line: `epochs=5`."""

from collections.abc import Sequence

from image_classifier.contract.errors import UserError


def parse(words: Sequence[str], what: str = "Hyperparameters", example: str = "epochs=5") -> dict[str, str]:
    """Turn `name=value` words into values by name, not yet decoded; a value may hold further `=`.

    Args:
        words: What was typed.
        what: What the names are, for messages; the beginning of a sentence.
        example: Such a word.

    Raises:
        UserError: A word has no `=`, or a name is given twice with different values.
    """
    if wrong := [word for word in words if "=" not in word]:
        raise UserError(f"{what} are written name=value, such as {example}; got {', '.join(wrong)}.")
    found: dict[str, str] = {}
    for name, _, value in (word.partition("=") for word in words):
        if found.setdefault(name, value) != value:
            raise UserError(f"{name} is given twice: {found[name]} and {value}. Give one of them.")
    return found
