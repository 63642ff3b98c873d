"""A server on this machine: its folders and port, and `scripts/serve-locally` for as long as a command needs it."""

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

from image_classifier import PROGRAM, archives
from image_classifier.contract.errors import ExplainedError, PlatformError, UserError, cause, last_line, reported
from image_classifier.contract.opt_ml import OptMl
from image_classifier.resources.ports import bind_error

HOST = "127.0.0.1"
START_TIMEOUT = 120.0
"""Seconds until the server must answer."""


def build_tree(model: Path, base: Path) -> OptMl:
    """Lay out `base` as the platform lays out /opt/ml, with the model where an endpoint finds it.

    Raises:
        UserError: The model is missing, or its archive is rejected.
    """
    tree = OptMl(base.resolve())
    base.mkdir(parents=True, exist_ok=True)
    folder = archives.materialise(model, tree.model_dir)
    if folder != tree.model_dir:
        tree.model_dir.symlink_to(folder.resolve())
    return tree


def reject_port_in_use(port: int) -> None:
    """Check before anything is loaded that a port is free.

    Raises:
        UserError: Another process listens on it, or the number is invalid.
    """
    if error := bind_error(HOST, port):
        raise UserError(f"Port {port} cannot be used: {cause(error)}. Choose another with --port.") from error


def model_of(given: Path) -> Path:
    """Return the model of a job's folder; any other path is returned as it is."""
    return given / "model" if (given / "input").is_dir() and (given / "model").is_dir() else given


@contextlib.contextmanager
def serving(model: Path, port: int, quiet: bool = False) -> Iterator[subprocess.Popen[bytes]]:
    """Serve a model folder on a port of 127.0.0.1 until the block is left.

    Its log goes to standard error, or with `quiet` nowhere.

    Raises:
        ExplainedError: With `quiet`, the error for which the server exits: of the user, if the model cannot be served.
        PlatformError: The server exits otherwise, or does not answer in time.
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
    """Return a port of this machine that is free now."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        return int(listener.getsockname()[1])


def _wait_until_ready(process: subprocess.Popen[bytes], port: int, log: IO[bytes] | None) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise _exited(process.returncode, log)
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=5).close()
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
        else:
            return
    raise PlatformError(
        f"The server on port {port} was not ready within {START_TIMEOUT:.0f} s. scripts/serve-locally shows its log."
    )


def _exited(code: int, log: IO[bytes] | None) -> ExplainedError:
    if log is None:
        return PlatformError(f"The server exited with code {code}. Its message is above.")
    log.seek(0)
    output = log.read().decode(errors="replace")
    return reported(output) or PlatformError(
        f"The server exited with code {code}. Its last message: {last_line(output)}"
    )
