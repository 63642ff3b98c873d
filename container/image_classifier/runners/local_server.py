"""A server on this machine for as long as a command needs it: `scripts/serve-locally` as a child process."""

import contextlib
import os
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from image_classifier import PROGRAM
from image_classifier.contract.errors import PlatformError, last_line

START_TIMEOUT = 120.0
"""Seconds until the server must answer."""


@contextlib.contextmanager
def serving(model: Path, port: int, quiet: bool = False) -> Iterator[subprocess.Popen[bytes]]:
    """Serve a model folder on a port of 127.0.0.1 until the block is left.

    Its log goes to standard error, or with `quiet` nowhere but for the last line when it does not start.

    Raises:
        PlatformError: The server exits, or does not answer in time.
    """
    command = [str(PROGRAM.parent / "scripts" / "serve-locally"), str(model), "--port", str(port)]
    # Requests that succeed are the command's own: their log lines would hide what it prints.
    environment = {"SERVE_ACCESS_LOG": "errors", **os.environ}
    with tempfile.TemporaryFile() as log:
        errors = log if quiet else None
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors, env=environment)
        try:
            _wait_until_ready(process, port, log if quiet else None)
            yield process
        finally:
            process.terminate()
            process.wait()


def free_port() -> int:
    """Return a port of 127.0.0.1 that is free now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _wait_until_ready(process: subprocess.Popen[bytes], port: int, log: IO[bytes] | None) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise PlatformError(f"The server exited with code {process.returncode}. {_reason(log)}")
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=5).close()
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
        else:
            return
    raise PlatformError(f"The server on port {port} was not ready within {START_TIMEOUT:.0f} s.")


def _reason(log: IO[bytes] | None) -> str:
    if log is None:
        return "Its message is above."
    log.seek(0)
    return f"Its last message: {last_line(log.read().decode(errors='replace'))}"
