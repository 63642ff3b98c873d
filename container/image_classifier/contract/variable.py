"""The declaration of an environment variable: the single source for reader, messages and reference pages."""

import logging
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from image_classifier.contract.errors import UserError

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Variable(Generic[T]):
    """One environment variable; unset or empty selects the default."""

    name: str
    default: T
    computed: str = ""
    """How the default is computed, in words, where it depends on something; `default` is then an example."""
    allowed: str
    parse: Callable[[str], T]
    """Parses stripped text; raises ValueError for an invalid value, with a reason where `allowed` does not suffice."""
    meaning: str

    def read(self, environment: Mapping[str, str] | None = None) -> T:
        """Return the value that `environment` gives, by default that of this process.

        Raises:
            UserError: The text is not allowed.
        """
        text = (os.environ if environment is None else environment).get(self.name, "").strip()
        if not text:
            return self.default
        try:
            return self.parse(text)
        except ValueError as error:
            raise UserError(f"{self.name} is {text!r}; allowed: {str(error) or self.allowed}.") from None


def seconds(name: str, default: float, meaning: str) -> Variable[float]:
    """Declare a duration in seconds, above 0, with a fraction if need be."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            # The text of float() is not for users.
            raise ValueError from None
        if not (math.isfinite(value) and value > 0):
            raise ValueError
        return value

    allowed = "a number of seconds above 0"
    return Variable(name=name, default=default, allowed=allowed, parse=parse, meaning=meaning)


def whole_number(
    name: str, default: int, minimum: int, maximum: int, meaning: str, computed: str = ""
) -> Variable[int]:
    """Declare an integer; both bounds are inclusive."""

    def parse(text: str) -> int:
        if not (_is_plain(text) and minimum <= int(text) <= maximum):
            raise ValueError
        return int(text)

    allowed = f"a whole number from {minimum} to {maximum}"
    return Variable(name=name, default=default, computed=computed, allowed=allowed, parse=parse, meaning=meaning)


def truth(name: str, default: bool, meaning: str) -> Variable[bool]:
    """Declare a boolean: true or false in any case, 1 or 0."""
    words = {"true": True, "1": True, "false": False, "0": False}

    def parse(text: str) -> bool:
        if text.lower() not in words:
            raise ValueError
        return words[text.lower()]

    return Variable(name=name, default=default, allowed="true or false", parse=parse, meaning=meaning)


def word(name: str, choices: tuple[str, ...], meaning: str) -> Variable[str]:
    """Declare a case-insensitive choice; the first one is the default."""

    def parse(text: str) -> str:
        for choice in choices:
            if text.lower() == choice.lower():
                return choice
        raise ValueError

    return Variable(name=name, default=choices[0], allowed=", ".join(choices), parse=parse, meaning=meaning)


def text(name: str, default: str, allowed: str, meaning: str) -> Variable[str]:
    """Declare a text that its reader validates."""
    return Variable(name=name, default=default, allowed=allowed, parse=str, meaning=meaning)


def log_level(name: str, default: int, meaning: str) -> Variable[int]:
    """Declare a logging level by its number or by its case-insensitive name."""
    levels = logging.getLevelNamesMapping()

    def parse(text: str) -> int:
        if _is_plain(text):
            return int(text)
        if text.upper() not in levels:
            raise ValueError
        return levels[text.upper()]

    allowed = f"a number, or one of {', '.join(levels)}"
    return Variable(name=name, default=default, allowed=allowed, parse=parse, meaning=meaning)


def _is_plain(text: str) -> bool:
    # int() also accepts signs, underscores and digits of other scripts.
    return text.isascii() and text.isdecimal() and len(text) <= 12
