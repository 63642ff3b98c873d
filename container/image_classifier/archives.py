"""Pack model archives, and unpack untrusted ones safely. Reading them member by member: tar_stream.py."""

import errno
import gzip
import os
import tarfile
import zlib
from lzma import LZMAError
from pathlib import Path

from image_classifier import durable_files, own_files, tar_stream
from image_classifier.contract.errors import UNWRITABLE, ExplainedError, PlatformError, UserError, first_line
from image_classifier.tar_stream import MAX_MEMBERS, MAX_UNPACKED_BYTES, ArchiveRejected

SUFFIXES = (".tar.gz", ".tgz", ".tar", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
"""File name suffixes of model archives."""
_MACHINE_ERRORS = (*UNWRITABLE, errno.EROFS, errno.EACCES, errno.EPERM)
_CORRUPT = (tarfile.TarError, gzip.BadGzipFile, zlib.error, LZMAError, EOFError, ValueError, OverflowError)
"""Exceptions that the libraries raise for a corrupt archive."""


def is_archive(path: Path) -> bool:
    """Return whether a file name is that of a model archive; the compression follows from the content."""
    return path.name.lower().endswith(SUFFIXES)


def is_gzipped_tar(path: Path) -> bool:
    """Return whether a file name is that of a tar compressed with gzip, which is what `pack` writes."""
    return path.name.lower().endswith((".tar.gz", ".tgz"))


def unpack(archive: Path, into: Path) -> None:
    """Unpack an untrusted tar archive (gzip, bzip2, xz or plain) into an existing or new folder.

    Only regular files and folders below `into` are written. Owners and special mode bits are dropped.

    Raises:
        UserError: The file is not a complete tar archive, contains links, devices, invalid names or paths outside
            the folder, or unpacks to more than `MAX_UNPACKED_BYTES` or `MAX_MEMBERS`.
        PlatformError: The disk is full or not writable.
    """
    try:
        into.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PlatformError(
            f"{archive} cannot be unpacked: {error.strerror} ({into}). Provide a writable folder."
        ) from error
    try:
        with archive.open("rb") as file, tar_stream.members(file) as (tar, members):
            written: dict[tuple[str, ...], bool] = {}
            total = 0
            for count, member in enumerate(members, start=1):
                total += member.size
                _reject_unsafe(member, count, total)
                _reject_clash(member, written)
                tar.extract(member, into, filter="data")
    except (ArchiveRejected, tarfile.FilterError) as error:
        raise UserError(f"{archive} is rejected: {first_line(error)}. Pack the model folder itself.") from error
    except OSError as error:
        raise _explained(archive, into, error) from error
    except _CORRUPT as error:
        raise _incomplete(archive, error) from error


def _incomplete(archive: Path, error: Exception) -> UserError:
    return UserError(
        f"{archive} is not a complete tar archive ({first_line(error)}). Expected a .tar.gz such as "
        "scripts/stage-backbone writes."
    )


def _explained(archive: Path, into: Path, error: OSError) -> ExplainedError:
    if isinstance(error, gzip.BadGzipFile) or error.errno is None:
        return _incomplete(archive, error)
    if error.errno in _MACHINE_ERRORS:
        return PlatformError(
            f"{archive} cannot be unpacked into {into}: {error.strerror} ({error.filename or into}). Provide a "
            "writable folder with enough free space."
        )
    return UserError(
        f"{archive} is rejected: a member cannot be written: {error.strerror}. Pack the model folder itself."
    )


def _reject_unsafe(member: tarfile.TarInfo, count: int, total: int) -> None:
    name = member.name
    if name.startswith("/") or ".." in Path(name).parts:
        reason = f"its member {ascii(name)[:200]} points outside the folder that it is unpacked into"
    elif not (member.isreg() or member.isdir()):
        reason = f"its member {ascii(name)[:200]} is a link or a device; only files and folders are allowed"
    elif count > MAX_MEMBERS:
        reason = f"it contains more than {MAX_MEMBERS:,} files"
    elif total > MAX_UNPACKED_BYTES or member.size < 0:
        reason = f"it unpacks to more than {MAX_UNPACKED_BYTES:,} bytes"
    elif fault := tar_stream.fault_of_name(member):
        reason = f"its member {ascii(name)[:200]} {fault}"
    else:
        return
    raise ArchiveRejected(reason)


def _reject_clash(member: tarfile.TarInfo, written: dict[tuple[str, ...], bool]) -> None:
    """Record which names are folders (True) and which are files; reject a name that is both."""
    parts = Path(member.name).parts
    above = [parts[:length] for length in range(1, len(parts))]
    clash = next((part for part in above if written.get(part) is False), None)
    if clash is None and written.get(parts, member.isdir()) != member.isdir():
        clash = parts
    if clash is not None:
        raise ArchiveRejected(f"its member {ascii('/'.join(clash))[:200]} is both a file and a folder")
    written.update(dict.fromkeys(above, True))
    if parts:
        written[parts] = member.isdir()


def pack(folder: Path, archive: Path) -> None:
    """Write a folder's content as a reproducible .tar.gz: equal content gives equal bytes.

    Atomic, also with concurrent writers, see `durable_files.replacing`.

    Raises:
        UserError: A link leads out of the folder.
        OSError: The disk is full or not writable; an existing archive stays unchanged.
    """
    archive.parent.mkdir(parents=True, exist_ok=True)
    with (
        durable_files.replacing(archive) as partial,
        partial.open("wb") as raw,
        gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=1, mtime=0) as compressed,
        # The content behind links of either kind, which `unpack` would reject.
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.PAX_FORMAT, dereference=True) as tar,
    ):
        for path in sorted(folder.rglob("*")):
            _reject_link_out(path, folder)
            tar.add(path, arcname=path.relative_to(folder).as_posix(), recursive=False, filter=_anonymous)


def _reject_link_out(path: Path, folder: Path) -> None:
    if path.is_symlink() and not path.resolve().is_relative_to(folder.resolve()):
        raise UserError(
            f"{path} is a link that leads out of {folder}, to {path.readlink()}. Copy the folder with its files, as by "
            "cp --recursive --dereference, and give the copy."
        )


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = ""
    member.mode = 0o755 if member.isdir() else 0o644
    return member


def existing_model(model: Path) -> Path:
    """Return the model that a user gave without links, so that a link to it is kept and its target used.

    Raises:
        UserError: It does not exist.
    """
    if not model.exists():
        raise _missing(model)
    return model.resolve()


def _missing(model: Path) -> UserError:
    return UserError(f"The model {model} does not exist. Give a model folder or a .tar.gz of one.")


def materialise(model: Path, into: Path) -> Path:
    """Return the model folder at `model`; an archive is unpacked into `into`.

    Raises:
        UserError: `model` does not exist or has files that may not be read, the archive is rejected, or `into` exists
            and is not an empty folder.
        PlatformError: The disk is full or not writable.
    """
    if model.is_dir():
        reject_unreadable(model)
        return model
    if not model.is_file():
        raise _missing(model)
    own_files.remove_empty(into)
    unpack(model, into)
    return into


def reject_unreadable(folder: Path) -> None:
    """Check that every file of a model folder may be read, before a library is given it.

    Raises:
        UserError: A file or a folder may not.
    """

    def reject(error: OSError) -> None:
        raise _unreadable(Path(error.filename)) from error

    for place, _, names in os.walk(folder, onerror=reject):
        for path in (Path(place, name) for name in names):
            try:
                # Not access(2), which asks about the real user and not about the effective one.
                if path.is_file():
                    path.open("rb").close()
            except PermissionError as error:
                raise _unreadable(path) from error


def _unreadable(path: Path) -> UserError:
    return UserError(f"{path} cannot be read by uid {os.getuid()}. Change its mode or its owner.")
