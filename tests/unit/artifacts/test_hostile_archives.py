"""Archives whose headers or compression are made to cost more than they weigh, or that no disk can hold."""

import errno
import gzip
import io
import lzma
import os
import tarfile
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import pytest

from image_classifier import archives, tar_stream
from image_classifier.contract.errors import PlatformError, UserError
from tests.unit.artifacts.test_archives import member, write_tar


def written(archive: Path, *headers: bytes) -> Path:
    """Write a gzipped archive of raw blocks."""
    with gzip.open(archive, "wb", compresslevel=1) as file:
        for header in headers:
            file.write(header)
        file.write(bytes(1024))
    return archive


def block(name: str, kind: bytes = tarfile.REGTYPE, size: int = 0) -> bytes:
    """Return the header of one member."""
    found = tarfile.TarInfo(name)
    found.type, found.size = kind, size
    return found.tobuf(tarfile.GNU_FORMAT)


def records(**values: str) -> bytes:
    """Return a PAX header with records, and the header of the member that they are about."""
    content = b""
    for key, value in values.items():
        line = f" {key.replace('_', '.')}={value}\n".encode("utf-8", "surrogateescape")
        size = len(line) + len(str(len(line) + 2))
        content += f"{size}".encode() + line
    padded = content + bytes(-len(content) % 512)
    return block("pax", tarfile.XHDTYPE, len(content)) + padded + block("member")


@pytest.mark.parametrize(
    "kind",
    [tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE],
)
def test_header_that_announces_megabytes_is_not_read(tmp_path: Path, kind: bytes) -> None:
    """A long name or PAX records of 32 MB, packed small -> rejected by their size; a few MB of memory are used."""
    archive = written(tmp_path / "m.tar.gz", block("x", kind, 32 << 20), bytes(32 << 20), block("y"))
    tracemalloc.start()
    with pytest.raises(UserError, match=r"m\.tar\.gz is rejected: a header announces 33,554,432 bytes"):
        archives.unpack(archive, tmp_path / "into")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20


def test_headers_that_add_up_are_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PAX records of a size that is allowed, before every member or in a row -> rejected by sum or number."""
    monkeypatch.setattr(tar_stream, "MAX_EXTENSIONS_BYTES", 10_000)
    many = [records(comment="x" * 900)] * 12
    with pytest.raises(UserError, match="10,000 in all"):
        archives.unpack(written(tmp_path / "a.tar.gz", *many), tmp_path / "a")
    row = [block("x", tarfile.GNUTYPE_LONGNAME, 5), b"name" + bytes(508)] * 2_000
    with pytest.raises(UserError, match="16 headers before a file"):
        archives.unpack(written(tmp_path / "b.tar.gz", *row, block("y")), tmp_path / "b")


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ([block("a"), block("a/b")], "'a' is both a file and a folder"),
        ([block("a/b"), block("a")], "'a' is both a file and a folder"),
        ([block("a", tarfile.DIRTYPE), block("a")], "'a' is both a file and a folder"),
        ([records(path="n" * 300)], "has a name of 300 bytes"),
        ([records(path="/".join(["n" * 200] * 20))], "has a name of 4,019 bytes"),
        ([records(path="a/" * 70 + "b")], "lies 71 folders deep"),
        ([records(path="a\0b")], "a zero byte"),
        ([records(path="caf\udce9")], "is not UTF-8"),
        ([block("caf\udce9")], "is not UTF-8"),
        ([block("")], "has no name"),
        ([block(".")], "has no name"),
        ([block("sparse", tarfile.GNUTYPE_SPARSE, 512)], "a sparse file"),
        ([records(GNU_sparse_major="1", GNU_sparse_minor="0")], "a sparse file"),
        ([records(size="-1")], "unpacks to more than"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_odd_member_is_rejected(tmp_path: Path, headers: list[bytes], reason: str) -> None:
    """A member that no folder can hold, or that is not what it seems -> one sentence with archive and member."""
    archive = written(tmp_path / "odd.tar.gz", *headers)
    with pytest.raises(UserError, match=rf"odd\.tar\.gz is rejected: .*{reason}") as found:
        archives.unpack(archive, tmp_path / "into")
    assert "\n" not in str(found.value)


def test_folder_of_the_archive_itself_is_a_member(tmp_path: Path) -> None:
    """An archive made by `tar -C model .`, whose first member is `.` -> unpacked."""
    archive = written(
        tmp_path / "m.tar.gz", block("./", tarfile.DIRTYPE), block("./1/", tarfile.DIRTYPE), block("./1/x")
    )
    archives.unpack(archive, tmp_path / "into")
    assert (tmp_path / "into" / "1" / "x").is_file()


def test_same_file_twice_is_the_later_one(tmp_path: Path) -> None:
    """A member that `tar --append` replaced -> the later content, as tar has it."""
    first, second = (block("x", size=1) + content + bytes(511) for content in (b"1", b"2"))
    archives.unpack(written(tmp_path / "m.tar.gz", first, second), tmp_path / "into")
    assert (tmp_path / "into" / "x").read_bytes() == b"2"


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz", "w"])
def test_compression_is_known_by_the_content(tmp_path: Path, mode: str) -> None:
    """Archives of every compression, all called .tar.gz -> unpacked."""
    archive = tmp_path / "model.tar.gz"
    with tarfile.open(archive, mode) as tar:  # type: ignore[call-overload]
        tar.addfile(member("1/x", size=100_000), io.BytesIO(bytes(range(250)) * 400))
    archives.unpack(archive, tmp_path / "into")
    assert (tmp_path / "into" / "1" / "x").read_bytes() == bytes(range(250)) * 400


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz", "w"])
def test_bytes_are_counted_whatever_the_headers_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    """Zeros without end where a header belongs, in every compression -> rejected after the bytes that are allowed."""
    monkeypatch.setattr(tar_stream, "MAX_UNPACKED_BYTES", 100_000)
    monkeypatch.setattr(tar_stream, "MAX_MEMBERS", 1)
    monkeypatch.setattr(tar_stream, "MAX_EXTENSIONS_BYTES", 0)
    archive = tmp_path / "bomb.tar.gz"
    with tarfile.open(archive, mode) as tar:  # type: ignore[call-overload]
        for index in range(400):
            tar.addfile(member(str(index), size=0))
    with pytest.raises(UserError, match=r"bomb\.tar\.gz is rejected: it unpacks to more than"):
        archives.unpack(archive, tmp_path / "into")


def test_xz_that_needs_gigabytes_is_rejected(tmp_path: Path) -> None:
    """An xz archive whose dictionary is of 1 GB -> rejected before the memory is taken."""
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 30, "preset": 0}]
    plain = block("x") + bytes(1024)
    # Written with a small dictionary, since the writer takes its memory too; then the header's byte is changed.
    small = bytearray(lzma.compress(plain, check=lzma.CHECK_NONE, filters=[{**filters[0], "dict_size": 1 << 16}]))
    size = (small[12] + 1) * 4
    header = small[12 : 12 + size - 4]
    header[header.index(0x21) + 2] = 36
    small[12 : 12 + size] = header + zlib.crc32(header).to_bytes(4, "little")
    archive = tmp_path / "model.tar.gz"
    archive.write_bytes(small)
    with pytest.raises(UserError, match=r"model\.tar\.gz is not a complete tar archive .*[Mm]emory"):
        archives.unpack(archive, tmp_path / "into")


def test_zip_gets_its_own_sentence(tmp_path: Path) -> None:
    """A zip archive, whatever it is called -> said, with the command that packs a model."""
    archive = tmp_path / "model.tar.gz"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("1/saved_model.pb", "x")
    with pytest.raises(
        UserError, match=r"model\.tar\.gz is rejected: it is a zip archive.*tar czf model.tar.gz -C FOLDER"
    ):
        archives.unpack(archive, tmp_path / "into")


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EACCES])
def test_disk_that_takes_nothing_is_the_platforms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """A disk that is full, or not writable, while an archive is unpacked -> PlatformError with archive and folder."""

    def fail(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    archive = write_tar(tmp_path / "model.tar.gz", [member("1/x")])
    monkeypatch.setattr(tarfile.TarFile, "makefile", fail)
    with pytest.raises(PlatformError, match=rf"model\.tar\.gz cannot be unpacked into .*into: {os.strerror(code)}"):
        archives.unpack(archive, tmp_path / "into")


def test_folder_that_cannot_be_made_is_the_platforms(tmp_path: Path) -> None:
    """A place for the content below a file -> an error of this program, not one of the system."""
    archive = write_tar(tmp_path / "model.tar.gz", [member("1/x")])
    (tmp_path / "file").write_text("x")
    with pytest.raises(PlatformError, match=r"model\.tar\.gz cannot be unpacked: Not a directory"):
        archives.unpack(archive, tmp_path / "file" / "into")
