"""What a job that failed says: the message first, for the platform keeps the first 1,024 characters."""

import errno
import os
import shutil
import traceback
from pathlib import Path

from image_classifier.contract.addresses import without_secrets
from image_classifier.contract.errors import ExplainedError, PlatformError
from image_classifier.contract.names import on_one_line

DISK_IS_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Of an `OSError`: no space, no quota, or a file larger than the process may write."""

WITHHELD = (errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO, errno.ESTALE)
"""Of an `OSError`: no permission, a read-only file system, or storage that fails."""


def message(error: Exception, base: Path) -> str:
    """Return what to write into the log and the failure file; addresses in it have lost their secrets.

    `base` is the platform's folder, whose disk counts where an error about a full disk names no file.
    """
    if isinstance(error, OSError) and error.errno in DISK_IS_FULL:
        error = disk_is_full(error, base)
    elif isinstance(error, OSError) and error.errno in WITHHELD:
        error = withheld(error)
    if isinstance(error, ExplainedError):
        return without_secrets(f"{type(error).__name__}: {error}")
    headline = f"AlgorithmError: unexpected {type(error).__name__}: {error}"
    return without_secrets(f"{headline}\n\n{''.join(traceback.format_exception(error))}")


def withheld(error: OSError) -> PlatformError:
    """Return what a permission that is missing or storage that fails means: which file, for which user, and why."""
    where = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else "A file"
    return PlatformError(
        f"{on_one_line(where)} cannot be used by uid {os.geteuid()}: {error.strerror}. Check its owner, its mode and "
        "its volume."
    )


def disk_is_full(error: OSError, base: Path) -> PlatformError:
    """Return what a full disk means: which file, how many bytes are free beside it, and what to do."""
    where = Path(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes) else base
    nearest = next(folder for folder in (where, *where.absolute().parents) if folder.exists())
    free = shutil.disk_usage(nearest).free
    if error.errno == errno.EFBIG:
        return PlatformError(
            f"{where} cannot grow any more: {os.strerror(errno.EFBIG)}, although {free:,} bytes are free there. "
            "Raise the limit of a file's size (ulimit -f), or use another volume."
        )
    return PlatformError(f"The disk is full at {where}: {free:,} bytes are free. Use a larger volume.")
