"""Missing permissions of this process, found before the first image is decoded and reported with path and uid."""

import os
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from image_classifier.class_folders.problems import Problem
from image_classifier.contract.errors import PlatformError
from image_classifier.contract.names import listed, on_one_line

_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH = 1, 2
"""Bits of capability sets, from linux/capability.h."""
_THREADS = 16
_PART = 256
_SCRATCH_VARIABLES = ("TMPDIR", "TEMP", "TMP")
"""In the order in which Python's tempfile looks at them."""


def problem(what: str, kind: str, paths: Sequence[str]) -> Problem:
    """Return one problem for paths of one `kind`, such as "folder", of which one thing is true."""
    uid, count = os.geteuid(), len(paths)
    subject = f"The {kind} {paths[0]}" if count == 1 else f"{count} {kind}s ({listed(paths, 3)})"
    return Problem(
        f"{subject} {what} by uid {uid}. Change the owner or the mode, or run as another user.", PlatformError
    )


def ignores_file_modes() -> bool:
    """Return whether this process ignores file modes, as root with the usual capabilities does."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        line = next(line for line in status.splitlines() if line.startswith("CapEff:"))
        effective = int(line.split()[1], 16)
    except (OSError, StopIteration, ValueError, IndexError):
        return False
    return bool(effective & (1 << _CAP_DAC_OVERRIDE | 1 << _CAP_DAC_READ_SEARCH))


def unreadable_files(paths: Sequence[Path]) -> list[Problem]:
    """Return a problem when files may not be read; none is opened, and nothing is asked where modes mean nothing."""
    if not paths or ignores_file_modes():
        return []
    # One task for many files: a task per file would cost more than the check.
    parts = [paths[start : start + _PART] for start in range(0, len(paths), _PART)]
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="access") as pool:
        wrong = [on_one_line(str(path)) for some in pool.map(_not_readable, parts) for path in some]
    return [problem("cannot be read", "file", wrong)] if wrong else []


def _not_readable(paths: Sequence[Path]) -> list[Path]:
    return [path for path in paths if not os.access(path, os.R_OK, effective_ids=True)]


def unwritable_folder(folder: Path) -> Problem | None:
    """Return a problem when nothing can be written into a folder, or into the nearest one above it that exists.

    A file without a name is made there and is gone at once.
    """
    nearest = next(path for path in (folder, *folder.absolute().parents) if path.exists() or path.is_symlink())
    try:
        with tempfile.TemporaryFile(dir=nearest):
            return None
    except OSError as error:
        reason = error.strerror or type(error).__name__
        return problem(f"cannot be written to ({reason})", "folder", [on_one_line(str(nearest))])


def unusable_scratch() -> Problem | None:
    """Return a problem when the folder for scratch files, which TMPDIR names, cannot be written to."""
    named = next((value for name in _SCRATCH_VARIABLES if (value := os.environ.get(name))), None)
    if named:
        return unwritable_folder(Path(named)) if Path(named).is_dir() else _missing_scratch(named)
    try:
        return unwritable_folder(Path(tempfile.gettempdir()))
    except OSError as error:
        return Problem(
            f"Scratch files cannot be written: {error.strerror} (uid {os.geteuid()}). Set TMPDIR to one that can "
            "be written to.",
            PlatformError,
        )


def _missing_scratch(named: str) -> Problem:
    return Problem(
        f"The folder for scratch files {on_one_line(named)}, which TMPDIR names, does not exist (uid {os.geteuid()}). "
        "Create it, or set TMPDIR to another one.",
        PlatformError,
    )
