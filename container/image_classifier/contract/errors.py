"""Errors named after their owner: the user, this program or the platform."""

import errno
import itertools
import sys

from image_classifier.contract.addresses import without_secrets

DISK_IS_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""`errno` values: no space, no quota, or a file larger than the process may write."""
UNWRITABLE = (*DISK_IS_FULL, errno.EIO)
"""`errno` values of a disk, or of what is behind an open file, that takes no more."""


class ExplainedError(Exception):
    """A failure whose text is complete: what is wrong, where, what was given, what is allowed, and what to do.

    It is shown as is, without a traceback.
    """


class UserError(ExplainedError):
    """Owned by the user: the request, its data or its model must change."""


class AlgorithmError(ExplainedError):
    """Owned by this program, which broke a promise."""


class PlatformError(ExplainedError):
    """Owned by the platform, which lacks a resource: memory, disk space, a device, a host, the network."""


_OWNERS: dict[str, type[ExplainedError]] = {kind.__name__: kind for kind in (UserError, AlgorithmError, PlatformError)}


def report_and_exit_code(error: Exception) -> int:
    """Print an error with its owner on standard error and return the exit code of a failed command."""
    print(f"{type(error).__name__}: {without_secrets(str(error))}", file=sys.stderr)
    return 1


def reported(output: str) -> ExplainedError | None:
    """Return the last error that `report_and_exit_code` wrote to a program's output, without secrets; None: none.

    Its text is the line with its owner, and the lines of a list that follow.
    """
    lines = output.splitlines()
    for number in reversed(range(len(lines))):
        name, _, text = lines[number].partition(": ")
        if text and (owner := _OWNERS.get(name)):
            listed = itertools.takewhile(lambda line: line.startswith("- "), lines[number + 1 :])
            return owner(without_secrets("\n".join([text, *listed])))
    return None


def first_line(error: BaseException, limit: int = 300) -> str:
    """Return the first line of an error's text without its full stop, or its type if it has no text.

    At most `limit` characters, with secrets removed from URLs.
    """
    line = (str(error).strip() or type(error).__name__).splitlines()[0]
    return without_secrets(line)[:limit].rstrip(".")


def cause(error: BaseException) -> str:
    """Return why the operating system rejected a call, without number and path, for a sentence that has the path.

    Of any other error it is `first_line`.
    """
    return getattr(error, "strerror", None) or first_line(error)


def last_line(output: str) -> str:
    """Return the last line of a program's output, where most state the cause of a failure, without secrets."""
    return without_secrets((output.strip().splitlines() or ["no output"])[-1])
