"""Pack and unpack the tar archives that carry models, trusting nothing about them. How they are read: tar_stream.py."""

import errno
import gzip
import tarfile
import zlib
from lzma import LZMAError
from pathlib import Path

from image_classifier import durable_files, own_files, tar_stream
from image_classifier.contract.errors import ExplainedError, PlatformError, UserError, first_line
from image_classifier.tar_stream import MAX_MEMBERS, MAX_UNPACKED_BYTES, ArchiveRejected

SUFFIXES = (".tar.gz", ".tgz", ".tar", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
"""How the names of model archives end."""
_OF_THE_MACHINE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.EACCES, errno.EPERM)
_NOT_COMPLETE = (tarfile.TarError, gzip.BadGzipFile, zlib.error, LZMAError, EOFError, ValueError, OverflowError)
"""What a corrupt archive makes the libraries raise."""


def is_archive(path: Path) -> bool:
    """Tell by its name whether a file is a model archive; its content says how it is compressed."""
    return path.name.lower().endswith(SUFFIXES)


def unpack(archive: Path, into: Path) -> None:
    """Unpack a tar archive (gzip, bzip2, xz or plain) into an existing or new folder.

    Only regular files and folders below `into` are written. Owners and special bits are dropped.

    Raises:
        UserError: The file is no tar archive, is cut off, would write outside the folder, holds links, devices or names
            that no file can have, or unpacks to more than `MAX_UNPACKED_BYTES` or `MAX_MEMBERS`.
        PlatformError: The disk is full or not writable.
    """
    try:
        into.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PlatformError(f"{archive} cannot be unpacked: {error.strerror} ({into}).") from error
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
        raise _of_the_system(archive, into, error) from error
    except _NOT_COMPLETE as error:
        raise _not_complete(archive, error) from error


def _not_complete(archive: Path, error: Exception) -> UserError:
    return UserError(
        f"{archive} is not a complete tar archive ({first_line(error)}). Expected a .tar.gz such as "
        "scripts/stage-backbone writes."
    )


def _of_the_system(archive: Path, into: Path, error: OSError) -> ExplainedError:
    if isinstance(error, gzip.BadGzipFile) or error.errno is None:
        return _not_complete(archive, error)
    if error.errno in _OF_THE_MACHINE:
        return PlatformError(
            f"{archive} cannot be unpacked into {into}: {error.strerror} ({error.filename or into}). The model needs "
            "that much space, in a folder that can be written to."
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
        reason = f"it holds more than {MAX_MEMBERS:,} files"
    elif total > MAX_UNPACKED_BYTES or member.size < 0:
        reason = f"it unpacks to more than {MAX_UNPACKED_BYTES:,} bytes"
    elif fault := tar_stream.fault_of_name(member):
        reason = f"its member {ascii(name)[:200]} {fault}"
    else:
        return
    raise ArchiveRejected(reason)


def _reject_clash(member: tarfile.TarInfo, written: dict[tuple[str, ...], bool]) -> None:
    """Keep track of which names are folders (True) and which are files; a name that is both cannot be unpacked."""
    parts = Path(member.name).parts
    above = [parts[:length] for length in range(1, len(parts))]
    clash = next((part for part in above if written.get(part) is False), None)
    if clash is None and written.get(parts, member.isdir()) != member.isdir():
        clash = parts
    if clash is not None:
        raise ArchiveRejected(f"its member {ascii('/'.join(clash))[:200]} is a file and a folder at once")
    written.update(dict.fromkeys(above, True))
    if parts:
        written[parts] = member.isdir()


def pack(folder: Path, archive: Path) -> None:
    """Write a folder's content as a .tar.gz that is byte-identical whenever the content is.

    A reader of `archive` sees the old one or the whole new one, whichever other process writes it.

    Raises:
        OSError: The archive cannot be written; no half-written archive is left under its name.
    """
    archive.parent.mkdir(parents=True, exist_ok=True)
    with (
        durable_files.replacing(archive) as partial,
        partial.open("wb") as raw,
        gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=1, mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for path in sorted(folder.rglob("*")):
            tar.add(path, arcname=path.relative_to(folder).as_posix(), recursive=False, filter=_anonymous)


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = ""
    member.mode = 0o755 if member.isdir() else 0o644
    return member


def materialise(model: Path, into: Path) -> Path:
    """Return a model folder for a folder or an archive; an archive is unpacked into `into`.

    Raises:
        UserError: Nothing lies at `model`, the archive is rejected, or something lies at `into` already.
        PlatformError: The disk is full or not writable.
    """
    if model.is_dir():
        return model
    if not model.is_file():
        raise UserError(f"There is no model at {model}. Give a model folder or a .tar.gz of one.")
    own_files.remove_empty(into)
    unpack(model, into)
    return into
