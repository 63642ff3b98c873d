"""The outermost part of every command: what is left of interrupts and of output that cannot be written."""

import os
import sys
from collections.abc import Callable

from image_classifier.contract.errors import UNWRITABLE

INTERRUPTED = 130
"""The exit code of a command that Ctrl-C ended, as shells report it."""


def run(main: Callable[[], int]) -> int:
    """Run a command and return its exit code, without a traceback where no code of ours is at fault.

    A closed pipe, as of `| head -1`, ends the command silently with 1, a full disk behind standard output with a
    sentence, and Ctrl-C with 130. Commands that handle Ctrl-C themselves, such as a training job, never get here.
    """
    try:
        code = main()
        sys.stdout.flush()
    except BrokenPipeError:
        _close_output()
        return 1
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return INTERRUPTED
    except OSError as error:
        # Files of ours have names; a stream has none.
        if error.errno not in UNWRITABLE or error.filename is not None:
            raise
        _close_output()
        print(f"PlatformError: Standard output cannot be written: {error.strerror}.", file=sys.stderr)
        return 1
    return code


def _close_output() -> None:
    """Send what is still buffered nowhere: Python would try again to write it, and complain, when it exits."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)
