"""Identify files that are not images we decode, by magic bytes or suffix, and say what their owner can do."""

from dataclasses import dataclass

HEAD_BYTES = 512
"""Number of bytes that `kind_of` needs; a tar's magic bytes are at offset 257."""
_CONVERT = "convert it to JPEG or PNG"
_UNPACK = "unpack it into one folder per class before the upload"
_EXPORT = "export its images as files, one folder per class"
_FRAMES = "export frames of it as JPEG or PNG"
_FOLDERS = (
    "a manifest is a .csv file with the columns path,label, or a .manifest or .jsonl file with source-ref, directly in "
    "the channel; without one, put the images into one folder per class"
)


@dataclass(frozen=True)
class Kind:
    """A kind of file, and the remedy."""

    name: str
    """With its article: "a HEIC image"."""
    remedy: str
    holds_data: bool = False
    """Whether it may contain images or labels of a channel: an archive, records, a table."""


_HEIC = Kind("a HEIC image", _CONVERT)
_AVIF = Kind("an AVIF image", _CONVERT)
_TIFF = Kind("a TIFF or camera raw image", _CONVERT)
_ZIP = Kind("a zip archive", _UNPACK, True)
_TAR = Kind("a tar archive", _UNPACK, True)
_TFRECORD = Kind("a TFRecord file", _EXPORT, True)
_VIDEO = Kind("a video", _FRAMES)
_DICOM = Kind("a DICOM image", _CONVERT)
_TABLE = Kind("a table or manifest", _FOLDERS, True)
_BRANDS = {
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"), _HEIC),
    **dict.fromkeys((b"avif", b"avis"), _AVIF),
    b"crx ": Kind("a Canon raw image", _CONVERT),
    **dict.fromkeys((b"isom", b"iso2", b"iso5", b"mp41", b"mp42", b"avc1", b"M4V ", b"qt  ", b"3gp4", b"3gp5"), _VIDEO),
}
"""Major brands of ISO base media files (ISO/IEC 23008-12 for HEIF, AV1 Image File Format for AVIF)."""
_BY_START = (
    (b"II*\0", _TIFF),
    (b"MM\0*", _TIFF),
    (b"II+\0", _TIFF),
    (b"MM\0+", _TIFF),
    (b"8BPS", Kind("a Photoshop document", _CONVERT)),
    (b"\xff\x0a", Kind("a JPEG XL image", _CONVERT)),
    (b"\0\0\0\x0cJXL ", Kind("a JPEG XL image", _CONVERT)),
    (b"\0\0\0\x0cjP  ", Kind("a JPEG 2000 image", _CONVERT)),
    (b"\xff\x4f\xff\x51", Kind("a JPEG 2000 image", _CONVERT)),
    (b"\0\0\1\0", Kind("an icon", _CONVERT)),
    (b"gimp xcf", Kind("a GIMP document", _CONVERT)),
    (b"FUJIFILMCCD-RAW", Kind("a Fujifilm raw image", _CONVERT)),
    (b"IIRO", Kind("an Olympus raw image", _CONVERT)),
    (b"IIU\0", Kind("a Panasonic raw image", _CONVERT)),
    (b"<svg", Kind("an SVG drawing", _CONVERT)),
    (b"%PDF", Kind("a PDF document", _CONVERT)),
    (b"%!PS", Kind("a PostScript document", _CONVERT)),
    (b"\xc5\xd0\xd3\xc6", Kind("a PostScript document", _CONVERT)),
    (b"#?RADIANCE", Kind("a Radiance HDR image", _CONVERT)),
    (b"\x76\x2f\x31\x01", Kind("an OpenEXR image", _CONVERT)),
    *((f"P{digit}\n".encode(), Kind("a PNM image", _CONVERT)) for digit in range(1, 8)),
    (b"\x1a\x45\xdf\xa3", _VIDEO),
    (b"\0\0\1\xba", _VIDEO),
    (b"PK\3\4", _ZIP),
    (b"PK\5\6", _ZIP),
    (b"PK\7\b", _ZIP),
    (b"\x1f\x8b", Kind("a gzip file", _UNPACK, True)),
    (b"BZh", Kind("a bzip2 file", _UNPACK, True)),
    (b"\xfd7zXZ\0", Kind("an xz file", _UNPACK, True)),
    (b"\x28\xb5\x2f\xfd", Kind("a Zstandard file", _UNPACK, True)),
    (b"7z\xbc\xaf\x27\x1c", Kind("a 7z archive", _UNPACK, True)),
    (b"Rar!\x1a\7", Kind("a RAR archive", _UNPACK, True)),
    (b"PAR1", Kind("a Parquet table", _EXPORT, True)),
    (b"\x89HDF\r\n\x1a\n", Kind("an HDF5 file", _EXPORT, True)),
    (b"\x93NUMPY", Kind("a NumPy array", _EXPORT, True)),
    (b"ARROW1", Kind("an Arrow table", _EXPORT, True)),
    (b"SQLite format 3\0", Kind("an SQLite database", _EXPORT, True)),
    (b"\x0a\x23\xd7\xce", Kind("a RecordIO file", _EXPORT, True)),
    (b"<!doctype html", Kind("an HTML page", "download the image itself")),
    (b"<html", Kind("an HTML page", "download the image itself")),
    (b"version https://git-lfs", Kind("a Git LFS pointer", "fetch the file itself with git lfs pull")),
)
"""Published magic bytes of each format, in order of precedence; text formats are compared in lower case."""
_BY_ENDING = {
    **dict.fromkeys((".zip",), _ZIP),
    **dict.fromkeys((".tar",), _TAR),
    **dict.fromkeys((".tgz", ".gz", ".bz2", ".tbz2", ".xz", ".txz", ".zst"), Kind("a packed archive", _UNPACK, True)),
    ".7z": Kind("a 7z archive", _UNPACK, True),
    ".rar": Kind("a RAR archive", _UNPACK, True),
    **dict.fromkeys((".tfrecord", ".tfrecords", ".tfrec", ".record", ".records"), _TFRECORD),
    **dict.fromkeys((".rec", ".recordio"), Kind("a RecordIO file", _EXPORT, True)),
    **dict.fromkeys((".parquet", ".pq"), Kind("a Parquet table", _EXPORT, True)),
    **dict.fromkeys((".h5", ".hdf5"), Kind("an HDF5 file", _EXPORT, True)),
    **dict.fromkeys((".npy", ".npz"), Kind("a NumPy array", _EXPORT, True)),
    **dict.fromkeys((".pkl", ".pickle"), Kind("a Python pickle", _EXPORT, True)),
    **dict.fromkeys((".mdb", ".lmdb"), Kind("an LMDB database", _EXPORT, True)),
    **dict.fromkeys((".csv", ".tsv", ".lst", ".manifest", ".jsonl", ".ndjson", ".json", ".xlsx", ".xls"), _TABLE),
    **dict.fromkeys((".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv"), _VIDEO),
    **dict.fromkeys((".ppm", ".pgm", ".pbm", ".pnm"), Kind("a PNM image", _CONVERT)),
    **dict.fromkeys((".dcm", ".dicom"), _DICOM),
    **dict.fromkeys((".dng", ".cr2", ".nef", ".arw", ".orf", ".rw2"), Kind("a camera raw image", _CONVERT)),
}


def kind_of(head: bytes, ending: str = "") -> Kind | None:
    """Identify a file by its first `HEAD_BYTES` bytes, else by its lower-case suffix `ending`; None: unknown."""
    if head[4:8] == b"ftyp":
        brands = [head[8:12], *(head[place : place + 4] for place in range(16, 64, 4))]
        return next((_BRANDS[brand] for brand in brands if brand in _BRANDS), None)
    text = head[:64].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for start, kind in _BY_START:
        if head.startswith(start) or text.startswith(start):
            return kind
    if head[257:262] == b"ustar":
        return _TAR
    if head[128:132] == b"DICM":
        return _DICOM
    if head.startswith(b"RIFF") and head[8:12] == b"AVI ":
        return _VIDEO
    if b"<svg" in head[:HEAD_BYTES] and text.startswith(b"<?xml"):
        return Kind("an SVG drawing", _CONVERT)
    return _BY_ENDING.get(ending)
