"""Read the members of an untrusted tar archive, compressed or not, in one pass and with bounded memory.

tarfile reads the extension headers of a member, a long name or PAX records, at once and at any size. Therefore every
header is checked before its content is read, and decompressed bytes are counted before they are parsed.
"""

import bz2
import contextlib
import gzip
import io
import lzma
import tarfile
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import IO, Any, Protocol, cast

MAX_UNPACKED_BYTES = 20 * 1024**3
"""The largest model of the catalogue unpacks to less than 4 GB; anything near this limit is a decompression bomb."""
MAX_MEMBERS = 10_000
MAX_EXTENSION_BYTES = 1024**2
"""Limit of one long name or one set of PAX records; macOS and GNU tar write a few hundred bytes."""
MAX_EXTENSIONS_BYTES = 32 * 1024**2
"""Limit of all extension headers, which tarfile keeps in memory."""
MAX_EXTENSIONS_IN_A_ROW = 16
"""Limit before one member. Each takes a few frames of Python's stack."""
_MAX_NAME_BYTES, _MAX_PATH_BYTES, _MAX_DEPTH = 255, 3072, 64
"""Limits of a path component, of a path (Linux: NAME_MAX, and PATH_MAX minus the folder's path) and of nesting."""
_XZ_MEMORY = 256 * 1024**2
"""Memory limit for xz decompression; the strongest preset needs 65 MB."""
_BLOCK = 1 << 20
_EXTENSIONS = (
    *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
    *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
)
_SPARSE_RECORD = b"GNU.sparse."


class ArchiveRejected(Exception):  # noqa: N818 - its caller makes a UserError of it
    """An archive that must not be unpacked; the text is the reason, without a full stop."""


class _Source(Protocol):
    def read(self, size: int, /) -> bytes: ...


@contextlib.contextmanager
def members(file: IO[bytes]) -> Iterator[tuple[tarfile.TarFile, Iterator[tarfile.TarInfo]]]:
    """Open an archive and yield it with an iterator of its members, each of which must be read before the next one.

    Raises:
        ArchiveRejected: It is a zip archive, or exceeds a limit.
        OSError, EOFError, tarfile.TarError, zlib.error, lzma.LZMAError: It is truncated or not a tar archive.
    """
    with contextlib.ExitStack() as stack:
        stream = _Stream(_decompressed(file, stack))
        tar = stack.enter_context(
            tarfile.TarFile(fileobj=cast(IO[bytes], stream), mode="r", tarinfo=_header_type(stream))
        )
        yield tar, iter(tar)


def fault_of_name(member: tarfile.TarInfo) -> str | None:
    """Return why a member's name is invalid for a file or folder; None if it is valid."""
    parts = PurePosixPath(member.name).parts
    try:
        encoded = member.name.encode()
    except UnicodeEncodeError:
        return "has a name that is not UTF-8"
    if "\0" in member.name:
        return "has a name with a zero byte"
    if not parts and (member.name != "." or not member.isdir()):
        return "has no name"
    if len(encoded) > _MAX_PATH_BYTES or any(len(part.encode()) > _MAX_NAME_BYTES for part in parts):
        return f"has a name of {len(encoded):,} bytes; allowed: {_MAX_NAME_BYTES} between slashes"
    return f"lies {len(parts)} folders deep; allowed: {_MAX_DEPTH}" if len(parts) > _MAX_DEPTH else None


def _decompressed(file: IO[bytes], stack: contextlib.ExitStack) -> _Source:
    start = file.read(6)
    file.seek(0)
    if start.startswith(b"\x1f\x8b"):
        return stack.enter_context(gzip.GzipFile(fileobj=file))
    if start.startswith(b"BZh"):
        return stack.enter_context(bz2.BZ2File(file))
    if start == b"\xfd7zXZ\x00":
        return io.BufferedReader(_Xz(file), _BLOCK)
    if start.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        raise ArchiveRejected("it is a zip archive; pack a model with tar czf model.tar.gz -C FOLDER .")
    return file


class _Xz(io.RawIOBase):
    """lzma.LZMAFile with a memory limit, which the original lacks."""

    def __init__(self, file: IO[bytes]):
        super().__init__()
        self._file, self._rest = file, b""
        self._decompressor = lzma.LZMADecompressor(lzma.FORMAT_XZ, _XZ_MEMORY)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        while not self._decompressor.eof:
            if self._decompressor.needs_input and not (found := self._file.read(_BLOCK)):
                raise EOFError("Compressed file ended before the end-of-stream marker was reached")
            given = found if self._decompressor.needs_input else b""
            if content := self._decompressor.decompress(given, len(buffer)):
                buffer[: len(content)] = content
                return len(content)
        return 0


class _Stream:
    """The stream that tarfile reads: forward-only, with limits on the total and on extension headers."""

    def __init__(self, source: _Source):
        self._source, self._position = source, 0
        self.announced: bytes | None = None
        """Type of the extension header whose content is read next."""

    def tell(self) -> int:
        return self._position

    def seek(self, position: int) -> int:
        if position < self._position:
            raise tarfile.ReadError("a member begins before the end of the previous one")
        while self._position < position and self.read(min(position - self._position, _BLOCK)):
            pass
        return self._position

    def read(self, size: int) -> bytes:
        content = self._source.read(size)
        self._position += len(content)
        # The content of the members plus headers.
        if self._position > MAX_UNPACKED_BYTES + MAX_MEMBERS * 8192 + MAX_EXTENSIONS_BYTES:
            raise ArchiveRejected(f"it unpacks to more than {MAX_UNPACKED_BYTES:,} bytes")
        if self.announced is not None:
            # The map of a sparse file has no size limit.
            if _SPARSE_RECORD in content:
                raise ArchiveRejected("it contains a sparse file; pack it without tar's option --sparse")
            self.announced = None
        return content

    def close(self) -> None:
        """Do nothing: the caller closes the file."""


def _header_type(stream: _Stream) -> type[tarfile.TarInfo]:
    """Return the class that tarfile uses for headers, which checks each before its content is read."""
    total = in_a_row = 0

    class Header(tarfile.TarInfo):
        @classmethod
        def frombuf(cls, buf: Any, encoding: str, errors: str) -> "Header":
            nonlocal total, in_a_row
            found = super().frombuf(buf, encoding, errors)
            if found.type == tarfile.GNUTYPE_SPARSE:
                raise ArchiveRejected("it contains a sparse file; pack it without tar's option --sparse")
            if found.type not in _EXTENSIONS:
                in_a_row = 0
                return found
            total, in_a_row = total + found.size, in_a_row + 1
            if found.size > MAX_EXTENSION_BYTES or total > MAX_EXTENSIONS_BYTES or in_a_row > MAX_EXTENSIONS_IN_A_ROW:
                raise ArchiveRejected(
                    f"a header announces {found.size:,} bytes of names and attributes; at most "
                    f"{MAX_EXTENSION_BYTES:,} are allowed, {MAX_EXTENSIONS_BYTES:,} in all, and "
                    f"{MAX_EXTENSIONS_IN_A_ROW} headers before a file"
                )
            stream.announced = found.type
            return found

    return Header
