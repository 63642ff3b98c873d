"""Errors named after who must act on them."""

import sys

from image_classifier.contract.addresses import without_secrets


class ExplainedError(Exception):
    """Any failure that this program explains itself.

    The text is one sentence or a list of sentences: what is wrong, where, what was given,
    what is allowed, and what to do. It is shown as it is, without a traceback.
    """


class UserError(ExplainedError):
    """The request, its data or its model must be changed by whoever sent it."""


class AlgorithmError(ExplainedError):
    """This program failed at something that it promised; the fix is ours."""


class PlatformError(ExplainedError):
    """The machine or the platform withheld something: memory, disk, a device, a host."""


def report_and_exit_code(error: Exception) -> int:
    """Print on standard error who must act and why, and return the exit code of a command that failed."""
    print(f"{type(error).__name__}: {without_secrets(str(error))}", file=sys.stderr)
    return 1


def first_line(error: BaseException, limit: int = 300) -> str:
    """Return an error's first line, at most `limit` characters, without its full stop; its type when it is silent.

    Addresses in it have lost their secrets.
    """
    line = (str(error).strip() or type(error).__name__).splitlines()[0]
    return without_secrets(line)[:limit].rstrip(".")


def last_line(output: str) -> str:
    """Return the last line that a program printed, which is where most say why they failed, without secrets."""
    return without_secrets((output.strip().splitlines() or ["it gave no reason"])[-1])
