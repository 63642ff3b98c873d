"""Waiting for what another process does: ask again, with a bound, and never just sleep."""

import os
import socket
import time
import urllib.request
from collections.abc import Callable

PATIENCE = float(os.environ.get("TEST_PATIENCE", "1"))
"""What every wait's bound is multiplied with; more on a machine that is busy otherwise."""


def wait_until(holds: Callable[[], bool], seconds: float, what: str, pause: float = 0.02) -> None:
    """Ask again every `pause` seconds until the condition holds; AssertionError when it never does."""
    seconds *= PATIENCE
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"after {seconds:.0f} s still not: {what}"
        time.sleep(pause)


def free_port() -> int:
    """Return a port of this machine that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(url: str) -> bool:
    """Say whether a GET succeeds."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
