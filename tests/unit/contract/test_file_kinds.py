"""What files are that no decoder takes."""

import gzip
import io
import lzma
import tarfile
import zipfile

import pytest
from PIL import Image

from image_classifier.contract.file_kinds import HEAD_BYTES, kind_of


def encoded(kind: str) -> bytes:
    """Return a small image as Pillow writes it in a format that this program does not read."""
    stream = io.BytesIO()
    Image.new("RGB", (8, 8), (200, 20, 20)).save(stream, kind)
    return stream.getvalue()


def tar() -> bytes:
    """Return a tar with one member."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("cat/1.jpg"))
    return stream.getvalue()


def zipped() -> bytes:
    """Return a zip with one member."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("cat/1.jpg", "x")
    return stream.getvalue()


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (encoded("TIFF"), "a TIFF or camera raw image"),
        (encoded("AVIF"), "an AVIF image"),
        (encoded("JPEG2000"), "a JPEG 2000 image"),
        (encoded("ICO"), "an icon"),
        (encoded("PDF"), "a PDF document"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "a HEIC image"),
        (b"\0\0\0\x18ftypXXXX\0\0\0\0heicmif1", "a HEIC image"),
        (b"8BPS\0\1", "a Photoshop document"),
        (b'<?xml version="1.0"?>\n<svg xmlns="x">', "an SVG drawing"),
        (b"\xef\xbb\xbf\n<!DOCTYPE html><title>404", "an HTML page"),
        (zipped(), "a zip archive"),
        (tar(), "a tar archive"),
        (gzip.compress(tar()), "a gzip file"),
        (lzma.compress(tar()), "an xz file"),
        (b"Rar!\x1a\7\1\0", "a RAR archive"),
        (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
        (b"PAR1", "a Parquet table"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0isom", "a video"),
        (b"RIFF\0\0\0\0AVI LIST", "a video"),
        (b"\0" * 128 + b"DICM", "a DICOM image"),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
def test_kinds_by_their_first_bytes(content: bytes, name: str) -> None:
    """The beginning of a file, whatever its name -> what it is, with a remedy."""
    found = kind_of(content[:HEAD_BYTES])
    assert found is not None
    assert (found.name, bool(found.remedy)) == (name, True)


@pytest.mark.parametrize(
    ("ending", "name"), [(".tfrecord", "a TFRecord file"), (".csv", "a table or manifest"), (".zip", "a zip archive")]
)
def test_kinds_without_a_mark_are_told_by_their_ending(ending: str, name: str) -> None:
    """Bytes without a mark of their own -> what the ending says."""
    found = kind_of(b"cat,1.jpg", ending)
    assert found is not None
    assert (found.name, found.holds_data) == (name, True)


@pytest.mark.parametrize("content", [b"", b"notes", bytes(600), b"ftyp"], ids=["empty", "text", "zeros", "short"])
def test_unknown_bytes_are_not_guessed_at(content: bytes) -> None:
    """Bytes of no known kind under an unknown ending -> None."""
    assert kind_of(content, ".xyz") is None
