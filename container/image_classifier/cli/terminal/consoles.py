"""The consoles of all commands: colours and redrawn lines on a terminal, plain lines elsewhere.

rich honours NO_COLOR, FORCE_COLOR, TERM=dumb, COLUMNS and the size of the terminal.
"""

import functools
import sys
import textwrap

from rich.console import Console

from image_classifier.contract.addresses import without_secrets
from image_classifier.contract.names import on_one_line

COMMAND = "  scripts/"
"""Begins the lines that suggest a command."""


@functools.cache
def output() -> Console:
    """Return the console of standard output."""
    return Console(highlight=False, soft_wrap=True, emoji=False, markup=False)


@functools.cache
def errors() -> Console:
    """Return the console of standard error."""
    return Console(stderr=True, highlight=False, soft_wrap=True, emoji=False, markup=False)


def print_text(console: Console, text: str, style: str | None = None) -> None:
    """Print a line; on a terminal it wraps between words, except for commands, which stay whole to be copied."""
    if console.is_terminal and not text.startswith(COMMAND):
        # Unlike rich's own wrapping this leaves long words whole, such as paths.
        text = textwrap.fill(text, console.width, break_long_words=False, break_on_hyphens=False)
    console.print(without_controls(text), style=style, soft_wrap=True)


def without_controls(text: str) -> str:
    r"""Return a text whose names of files cannot control a terminal: `\x1b` for ESC; its lines stay lines."""
    return "\n".join(map(on_one_line, text.split("\n")))


def announce(text: str) -> None:
    """Print a line on standard output, see `print_text`."""
    print_text(output(), text)


def is_interactive() -> bool:
    """Say whether standard output is a terminal on which lines can be redrawn."""
    return output().is_terminal and not output().is_dumb_terminal


def report_and_exit_code(error: Exception) -> int:
    """Print an error on standard error and return the exit code of a failed command.

    On a terminal the sentence follows a red "Error:"; in logs the class of the error names its owner.
    """
    text = without_controls(without_secrets(str(error)))
    if errors().is_terminal:
        errors().print("Error:", style="bold red", end=" ")
        errors().print(text)
    else:
        print(f"{type(error).__name__}: {text}", file=sys.stderr)
    return 1
