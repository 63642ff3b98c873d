"""SIGTERM as an ordinary exit of this process, so that `finally` and context managers clean up."""

import signal
import sys


def exit_on_sigterm() -> None:
    """Exit with 128 + 15 at SIGTERM; PID 1 ignores signals for which it has no handler."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
