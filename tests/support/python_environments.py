"""Python environments with exactly what locks list, kept in the cache and made again when a lock has changed."""

import hashlib
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[2]


def locked(folder: Path, *locks: Path, compiled: bool = True) -> Path:
    """Return the Python of the environment `folder` that holds what the locks list, and nothing else.

    Without `compiled` a module's bytecode is written when it is first imported.

    Raises:
        RuntimeError: It cannot be made; what uv said is in the message.
    """
    stamp, python = folder / "lock.sha256", folder / "bin" / "python"
    listed = b"".join(lock.read_bytes() for lock in locks)
    # The folder belongs to it, and so does the interpreter: neither may have moved.
    wanted = f"{hashlib.sha256(listed).hexdigest()} {folder} {sys.version}"
    if not stamp.is_file() or stamp.read_text(encoding="utf-8") != wanted:
        _uv("venv", "--clear", "--python", sys.executable, folder)
        files = [word for lock in locks for word in ("--requirements", lock)]
        compiling = ["--compile-bytecode"] if compiled else []
        # The locks list everything, so nothing is resolved and nothing unlisted can come in.
        _uv("pip", "install", "--python", python, "--no-deps", "--require-hashes", *compiling, *files)
        stamp.write_text(wanted, encoding="utf-8")
    return python


def install_into(folder: Path, *requirements: str) -> None:
    """Install packages without what they depend on into a folder of modules for this Python.

    Raises:
        RuntimeError: They cannot be installed; what uv said is in the message.
    """
    _uv("pip", "install", "--python", sys.executable, "--no-deps", "--target", folder, *requirements)


def _uv(*arguments: str | Path) -> None:
    command = [PROJECT / ".venv" / "bin" / "uv", *arguments, "--quiet"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout[-4000:]}")
