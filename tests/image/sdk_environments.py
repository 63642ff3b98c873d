"""One Python environment a SageMaker SDK: their packages fit neither this project's nor each other's."""

import hashlib
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[2]


def python_with_sdk(version: str) -> Path:
    """Return the Python that has SDK "v2" or "v3"; the environment is made again when its lock has changed."""
    folder = PROJECT / ".cache" / f"sdk-{version}"
    lock = Path(__file__).with_name(f"requirements-sdk-{version}.txt")
    stamp, python = folder / "lock.sha256", folder / "bin" / "python"
    # The folder belongs to it, and so does the interpreter: neither may have moved.
    wanted = f"{hashlib.sha256(lock.read_bytes()).hexdigest()} {folder} {sys.version}"
    if not stamp.is_file() or stamp.read_text(encoding="utf-8") != wanted:
        _uv("venv", "--clear", "--python", sys.executable, folder)
        # The lock lists everything, so nothing is resolved and nothing unlisted can come in.
        _uv("pip", "install", "--python", python, "--no-deps", "--require-hashes", "--requirements", lock)
        stamp.write_text(wanted, encoding="utf-8")
    return python


def _uv(*arguments: str | Path) -> None:
    command = [PROJECT / ".venv" / "bin" / "uv", *arguments, "--quiet"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout[-4000:]}"
