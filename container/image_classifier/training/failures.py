"""Failure message of a job: the headline comes first, since the platform keeps the first 1,024 characters."""

import errno
import os
import shutil
import traceback
from pathlib import Path

from image_classifier.contract.addresses import without_secrets
from image_classifier.contract.errors import DISK_IS_FULL, ExplainedError, PlatformError
from image_classifier.contract.names import on_one_line

ACCESS_DENIED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO, errno.ESTALE)
"""`errno` values: no permission, a read-only file system, or failing storage."""


def message(error: Exception, base: Path) -> str:
    """Return the text for the log and the failure file, with secrets removed from addresses.

    `base` is the platform's folder, whose free space is reported when an error about a full disk has no file name.
    """
    if isinstance(error, OSError) and error.errno in DISK_IS_FULL:
        error = disk_is_full(error, base)
    elif isinstance(error, OSError) and error.errno in ACCESS_DENIED:
        error = access_denied(error)
    if isinstance(error, ExplainedError):
        return without_secrets(f"{type(error).__name__}: {error}")
    headline = f"AlgorithmError: unexpected {type(error).__name__}: {error}"
    return without_secrets(f"{headline}\n\n{''.join(traceback.format_exception(error))}")


def access_denied(error: OSError) -> PlatformError:
    """Explain a missing permission or failing storage: which file, for which user, and why."""
    where = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else "A file"
    return PlatformError(
        f"{on_one_line(where)} cannot be used by uid {os.geteuid()}: {error.strerror}. Check its owner, its mode and "
        "its volume."
    )


def disk_is_full(error: OSError, base: Path) -> PlatformError:
    """Explain a full disk: which file, how many bytes are free on its disk, and what to do."""
    where = Path(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes) else base
    nearest = next(folder for folder in (where, *where.absolute().parents) if folder.exists())
    free = shutil.disk_usage(nearest).free
    if error.errno == errno.EFBIG:
        return PlatformError(
            f"{where} cannot grow: {os.strerror(errno.EFBIG)}, although {free:,} bytes are free there. "
            "Raise the file size limit (ulimit -f), or use another volume."
        )
    return PlatformError(f"The disk is full at {where}: {free:,} bytes are free. Use a larger volume.")
