"""Types of command-line arguments that say what is allowed, for `type=` of argparse."""

import argparse
from pathlib import Path

LARGEST_PORT = 65535


def some_text(text: str) -> str:
    """Return a text that a user typed, such as a name, a path or an address.

    Raises:
        argparse.ArgumentTypeError: It is empty, as that of an unset shell variable.
    """
    if not text.strip():
        raise argparse.ArgumentTypeError("is empty; give a name, a path or an address")
    return text


def some_path(text: str) -> Path:
    """Return the path that a user typed.

    Raises:
        argparse.ArgumentTypeError: The text is empty, as that of an unset shell variable, which `Path` would take for
            the current folder, or an address.
    """
    if not text.strip():
        raise argparse.ArgumentTypeError("is empty; give a path, or . for the current folder")
    if "://" in text and not Path(text).exists():
        raise argparse.ArgumentTypeError(f"is the address {text!r}; give a path on this machine")
    return Path(text)


def port(text: str) -> int:
    """Return a port number.

    Raises:
        argparse.ArgumentTypeError: It is not an integer from 1 to 65535.
    """
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= LARGEST_PORT):
        raise argparse.ArgumentTypeError(f"is {text!r}; allowed are 1 to {LARGEST_PORT}")
    return int(text)


def count(text: str) -> int:
    """Return a number of things.

    Raises:
        argparse.ArgumentTypeError: It is not an integer of at least 1.
    """
    if not (text.isascii() and text.isdecimal() and int(text) >= 1):
        raise argparse.ArgumentTypeError(f"is {text!r}; allowed is an integer of at least 1")
    return int(text)
