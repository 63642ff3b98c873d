"""Unpack an untrusted zip file of images: no path leads out, no link is made, and what is written is bounded."""

import os
import shutil
import stat
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from image_classifier.contract.errors import PlatformError, UserError, first_line
from image_classifier.contract.names import on_one_line
from image_classifier.contract.system_names import is_ignored
from image_classifier.tar_stream import MAX_UNPACKED_BYTES

MOST_FILES = 200_000
MOST_BYTES = MAX_UNPACKED_BYTES
MOST_RATIO = 200
"""Unpacked by packed bytes of one file: images are packed already, and even a drawing as BMP stays below this."""
_SMALL_BYTES = 1 << 20
"""A file that unpacks to less is not measured by its ratio."""
_SPARE_BYTES = 1 << 30
"""Free space that is left on the disk."""
_MOST_DEPTH, _MOST_NAME_BYTES = 32, 255
_BLOCK = 1 << 20


def unpack(archive: Path, into: Path, report: Callable[[int, int], None] = lambda done, total: None) -> int:
    """Unpack the files of a zip file into the existing folder `into` and return their number.

    Hidden files and those of operating systems, such as `__MACOSX`, are left out. `report` is called with the bytes
    written and their announced total; may raise.

    Raises:
        UserError: It is not a whole zip file, is encrypted, or holds links, paths that lead out, names that no file can
            have, or more than the limits.
        PlatformError: The disk has too little space, or is not writable.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            members = _checked(opened.infolist(), shutil.disk_usage(into).free - _SPARE_BYTES)
            total = sum(member.file_size for member, _ in members)
            written = 0
            for member, path in members:
                written = _write(opened, member, into / path, written, lambda done: report(done, total))
            return len(members)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise UserError(
            f"The file is not a whole zip archive that can be read: {first_line(error)}. Pack it again."
        ) from error
    except OSError as error:
        raise PlatformError(f"The archive cannot be unpacked: {error.strerror} ({into}).") from error


def _checked(found: list[zipfile.ZipInfo], free: int) -> list[tuple[zipfile.ZipInfo, Path]]:
    files = [member for member in found if not member.is_dir()]
    if len(files) > MOST_FILES:
        raise UserError(f"The archive holds {len(files):,} files; at most {MOST_FILES:,} are unpacked.")
    members = []
    for member in files:
        parts = PurePosixPath(member.filename).parts
        if reason := _fault(member, parts):
            raise UserError(f"The archive is rejected: {on_one_line(member.filename)[:200]!r} {reason}.")
        if not any(map(is_ignored, parts)):
            members.append((member, Path(*parts)))
    total = sum(member.file_size for member, _ in members)
    if total > MOST_BYTES:
        raise UserError(f"The archive unpacks to {total:,} bytes; at most {MOST_BYTES:,} are unpacked.")
    if total > free:
        raise PlatformError(f"The archive unpacks to {total:,} bytes; the disk has {max(free, 0):,} to spare.")
    if not members:
        raise UserError("The archive holds no file. Pack the folder that holds one sub-folder per class.")
    return members


def _fault(member: zipfile.ZipInfo, parts: tuple[str, ...]) -> str | None:
    """Return why a member is not unpacked; None if it is fine."""
    mode = member.external_attr >> 16
    if member.filename.startswith(("/", "\\")) or ".." in parts or not parts:
        return "points outside the folder that it is unpacked into"
    if "\\" in member.filename or "\0" in member.orig_filename:
        return "has a backslash or a zero byte in its name"
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        return "is a link or a device; only files are unpacked"
    if member.flag_bits & 1:
        return "is encrypted; pack it without a password"
    if len(parts) > _MOST_DEPTH or any(len(os.fsencode(part)) > _MOST_NAME_BYTES for part in parts):
        return f"has a name or a nesting beyond the limits ({_MOST_NAME_BYTES} bytes, {_MOST_DEPTH} folders)"
    if member.file_size > max(_SMALL_BYTES, MOST_RATIO * member.compress_size):
        return f"unpacks to {member.file_size:,} bytes from {member.compress_size:,}, as no image does"
    return None


def _write(
    opened: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, written: int, report: Callable[[int], None]
) -> int:
    target.parent.mkdir(parents=True, exist_ok=True)
    # Python bounds what is read by the announced size, and checks the checksum at the end.
    with opened.open(member) as source, target.open("xb") as file:
        while block := source.read(_BLOCK):
            written += len(block)
            if written > MOST_BYTES:
                raise UserError(f"The archive unpacks to more than {MOST_BYTES:,} bytes.")
            file.write(block)
            report(written)
    return written
