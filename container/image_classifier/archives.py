"""Pack and unpack the tar archives that carry models, trusting nothing about them."""

import gzip
import tarfile
import tempfile
import zlib
from pathlib import Path

from image_classifier import own_files
from image_classifier.contract.errors import UserError

MAX_UNPACKED_BYTES = 20 * 1024**3
"""The largest model of the catalogue unpacks to under 4 GB; anything near this limit is a bomb."""
MAX_MEMBERS = 10_000


def unpack(archive: Path, into: Path) -> None:
    """Unpack a tar archive (gzip or plain) into an existing or new folder.

    Only regular files and folders below `into` are written. Owners and special bits are dropped.

    Raises:
        UserError: The file is no tar archive, is cut off, would write outside the folder, holds links or
            devices, or unpacks to more than `MAX_UNPACKED_BYTES` or `MAX_MEMBERS`.
    """
    into.mkdir(parents=True, exist_ok=True)
    try:
        with tarfile.open(archive, "r:*") as tar:
            total = 0
            for count, member in enumerate(tar, start=1):
                total += member.size
                _refuse_unsafe(archive, member, count, total)
                tar.extract(member, into, filter="data")
    except tarfile.FilterError as error:
        raise UserError(f"{archive} is refused: {error}. Pack the model folder itself, without links.") from error
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise UserError(
            f"{archive} is not a complete tar archive ({error}). "
            "Expected a .tar.gz such as scripts/stage-backbone writes."
        ) from error


def _refuse_unsafe(archive: Path, member: tarfile.TarInfo, count: int, total: int) -> None:
    name = member.name
    if name.startswith("/") or ".." in Path(name).parts:
        reason = f"its member {name!r} points outside the folder that it is unpacked into"
    elif not (member.isreg() or member.isdir()):
        reason = f"its member {name!r} is a link or a device; only files and folders are allowed"
    elif count > MAX_MEMBERS:
        reason = f"it holds more than {MAX_MEMBERS:,} files"
    elif total > MAX_UNPACKED_BYTES:
        reason = f"it unpacks to more than {MAX_UNPACKED_BYTES:,} bytes"
    else:
        return
    raise UserError(f"{archive} is refused: {reason}. Pack the model folder itself.")


def pack(folder: Path, archive: Path) -> None:
    """Write a folder's content as a .tar.gz that is byte-identical whenever the content is.

    A reader of `archive` sees the old one or the whole new one, whoever else writes it.

    Raises:
        OSError: The archive cannot be written; no half-written archive is left under its name.
    """
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=archive.parent, prefix=".packing-") as scratch:
        partial = Path(scratch) / archive.name
        with (
            partial.open("wb") as raw,
            gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=1, mtime=0) as compressed,
            tarfile.open(fileobj=compressed, mode="w", format=tarfile.PAX_FORMAT) as tar,
        ):
            for path in sorted(folder.rglob("*")):
                tar.add(path, arcname=path.relative_to(folder).as_posix(), recursive=False, filter=_anonymous)
        partial.replace(archive)


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = ""
    member.mode = 0o755 if member.isdir() else 0o644
    return member


def materialise(model: Path, into: Path) -> Path:
    """Return a model folder for a folder or an archive; an archive is unpacked into `into`.

    Raises:
        UserError: Nothing lies at `model`, the archive is refused, or something lies at `into` already.
    """
    if model.is_dir():
        return model
    if not model.is_file():
        raise UserError(f"There is no model at {model}. Give a model folder or a .tar.gz of one.")
    own_files.remove_empty(into)
    unpack(model, into)
    return into
