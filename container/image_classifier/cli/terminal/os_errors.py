"""What the system rejected, at the edge of a command: a file that was read is not taken for one that was written."""

import os
from pathlib import Path

from image_classifier.contract.errors import UNWRITABLE, ExplainedError, PlatformError, UserError, first_line


def explained(error: OSError, written: Path, unchanged: bool = False) -> ExplainedError:
    """Return the error for the user.

    Args:
        error: What the system raised, with the name of the file if it has one.
        written: The file or folder that the command writes; temporary ones have names that contain its own.
        unchanged: Whether it is still as it was.
    """
    name = os.fsdecode(error.filename) if error.filename is not None else ""
    if name and error.errno not in UNWRITABLE and not _is_of(Path(name).absolute(), written.absolute()):
        return UserError(
            f"{name} cannot be used: {error.strerror}. Correct its mode or its owner, or give another one."
        )
    state = " is unchanged, since it" if unchanged else ""
    return PlatformError(f"{written}{state} cannot be written: {first_line(error)}.")


def _is_of(path: Path, written: Path) -> bool:
    """Return whether a path is the written one, lies below it, or is a temporary one beside it."""
    if path.is_relative_to(written) or written.is_relative_to(path):
        return True
    beside = path.relative_to(written.parent).parts[0] if path.is_relative_to(written.parent) else ""
    return beside.startswith(".") or written.name in beside
