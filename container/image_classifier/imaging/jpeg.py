"""What a JPEG is and costs, by its markers: one linear pass, before any decoder sees the file.

Sources: ITU-T T.81, annexes B and G; "Two issues with the JPEG standard" by the libjpeg-turbo project, which advises
to limit the scans of a progressive JPEG; Adobe's technical note 5116, section 18, for its marker.
"""

import re
import struct
from dataclasses import dataclass
from math import ceil

from image_classifier.imaging import exif
from image_classifier.imaging.rejection import corrupt, too_complex

MAX_SEGMENTS = 4096
"""Marker segments of a file; a colour profile takes at most 255, extended XMP of 16 MB takes as many."""
MAX_SCANS = 500
"""libjpeg-turbo's lower advice. Encoders write about 10, one a component and bit at most some 200."""
MAX_BLOCK_VISITS = 100_000_000
"""Blocks of 8 x 8 times the scans that pass over each; 5 to 10 ns each, however few bytes the scan has. 200 megapixels
in the ten scans of libjpeg's encoder are 30 million."""
MIN_SIDE = 16
"""In pixels, of what `libjpeg_turbo` decodes. simplejpeg selects a scale by the smallest size that is allowed, which
must determine it."""
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_STANDALONE = frozenset({0x00, 0x01, *range(0xD0, 0xDA)})
"""Markers without a segment, and the escape of a data byte 255."""
_END, _SCAN, _EXIF, _ADOBE, _COMMENT = 0xD9, 0xDA, 0xE1, 0xEE, 0xFE
_END_MARKER = b"\xff\xd9"
_JFIF = 0xE0
_JFIF_VERSION, _ADOBE_TRANSFORM = 9, 15
"""Positions in the segments, from the marker on."""
_HUFFMAN = frozenset({0xC0, 0xC1, 0xC2})
"""Baseline, extended sequential and progressive."""
_SUBSAMPLING = frozenset({0x11, 0x21, 0x22, 0x12, 0x41})
"""Factors of the first component, across and down: 4:4:4, 4:2:2, 4:2:0, 4:4:0, 4:1:1."""
_METADATA = frozenset({*range(_EXIF, _ADOBE), 0xEF, _COMMENT})
"""Segments that no pixel depends on: comments and all application data but JFIF's and Adobe's."""
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_XMP = b"http://ns.adobe.com/xap/1.0/\0"


@dataclass(frozen=True, slots=True)
class Jpeg:
    """What the markers of a JPEG say."""

    size: tuple[int, int]
    """Width and height in pixels."""
    components: int
    orientation: int
    has_adobe_marker: bool
    coefficient_bytes: int
    """What a decoder holds beside the raster until the last scan has come: 2 bytes a coefficient; 0 for one scan."""
    is_ordinary: bool
    """Whether it is complete and of the forms that nearly all encoders write, see `_is_ordinary`."""
    content: bytes
    """The file without metadata."""


def read(data: bytes) -> Jpeg | None:
    """Read the markers; None when the file is cut off before its first scan.

    Raises:
        ImageRejected: The file has two frames, or too many segments or scans.
    """
    head = _Head(data)
    try:
        head.read()
        frame, components_in_scan = head.frame, data[head.end + 4]
    except (struct.error, IndexError):
        return None
    if frame is None:
        return None
    orientation = exif.orientation(b"".join(head.exif), head.xmp)
    coefficients, is_whole = 0, data.rfind(_END_MARKER, head.end) >= 0
    if frame.is_progressive or components_in_scan < frame.components:
        is_whole = _check_scans(data, head.end, frame, head.segments)
        coefficients = 128 * sum(count for _, count in frame.blocks())
    content = b"".join([*head.kept, memoryview(data)[head.end :]]) if head.has_waste else data
    is_ordinary = is_whole and _is_ordinary(frame, head)
    return Jpeg(frame.size, frame.components, orientation, head.has_adobe, coefficients, is_ordinary, content)


def _is_ordinary(frame: "_Frame", head: "_Head") -> bool:
    """Return whether `libjpeg_turbo` decodes a complete file of this form as Pillow does.

    Huffman codes of 8-bit samples, grey or three components in a usual subsampling, JFIF of version 1, Adobe's marker
    with a known transform: its interface has no other forms, or takes a warning in the header for an error.
    """
    factors = [factors for _, factors in frame.sampling]
    return (
        frame.marker in _HUFFMAN
        and frame.precision == 8
        and len(factors) in (1, 3)
        and factors[0] in _SUBSAMPLING
        and all(chroma == 0x11 for chroma in factors[1:])
        and head.jfif_versions <= {1}
        and head.adobe_transforms <= {0, 1}
        and not head.has_standalone
    )


@dataclass(frozen=True, slots=True)
class _Frame:
    size: tuple[int, int]
    components: int
    marker: int
    precision: int
    """Bits per sample."""
    sampling: tuple[tuple[int, int], ...]
    """Of each component its identifier, and its horizontal and vertical sampling factor, four bits each."""

    @property
    def is_progressive(self) -> bool:
        """Whether a coefficient may come in several scans."""
        return self.marker in _PROGRESSIVE

    def blocks(self) -> list[tuple[int, int]]:
        """Return of each component its identifier and its blocks of 8 x 8 coefficients."""
        width, height = self.size
        across = max((factors >> 4 for _, factors in self.sampling), default=1) or 1
        down = max((factors & 15 for _, factors in self.sampling), default=1) or 1
        return [
            (name, ceil(width * (factors >> 4) / across / 8) * ceil(height * (factors & 15) / down / 8))
            for name, factors in self.sampling
        ]


class _Head:
    """Everything before the first scan."""

    def __init__(self, data: bytes):
        self._data = data
        self.frame: _Frame | None = None
        self.kept: list[bytes] = [data[:2]]
        self.exif: list[bytes] = []
        self.xmp: bytes | None = None
        self.has_adobe = self.has_waste = self.has_standalone = False
        self.jfif_versions: set[int] = set()
        self.adobe_transforms: set[int] = set()
        self.segments = 0
        self.end = 0
        """Where the first scan begins."""

    def read(self) -> None:
        data, position = self._data, 2
        while found := _NEXT_MARKER.search(data, position):
            start, marker = found.start(), data[found.start() + 1]
            # Filling bytes and rubbish between segments.
            self.has_waste = self.has_waste or start > position
            if marker == _SCAN:
                self.end = start
                return
            self.segments += 1
            if self.segments > MAX_SEGMENTS:
                raise too_complex("segments", self.segments, MAX_SEGMENTS)
            length = 0 if marker in _STANDALONE else int.from_bytes(data[start + 2 : start + 4], "big")
            if start + 2 + length > len(data):
                break
            self._take(marker, data[start : start + 2 + length])
            position = start + 2 + length
        raise IndexError

    def _take(self, marker: int, segment: bytes) -> None:
        if marker in _METADATA:
            self.has_waste = True
            if marker == _EXIF and segment.startswith(b"Exif\0\0", 4):
                self.exif.append(segment[10:] if self.exif else segment[4:])
            elif marker == _EXIF and segment.startswith(_XMP, 4):
                self.xmp = segment
            return
        self.kept.append(segment)
        self.has_standalone = self.has_standalone or marker in _STANDALONE
        if marker == _ADOBE and segment.startswith(b"Adobe", 4):
            self.has_adobe = True
            self.adobe_transforms.update(segment[_ADOBE_TRANSFORM : _ADOBE_TRANSFORM + 1])
        elif marker == _JFIF and segment.startswith(b"JFIF\0", 4):
            self.jfif_versions.update(segment[_JFIF_VERSION : _JFIF_VERSION + 1])
        elif marker in _FRAMES:
            if self.frame is not None:
                raise corrupt("it has two frame headers")
            self.frame = _frame(marker, segment)


def _frame(marker: int, segment: bytes) -> _Frame:
    precision, height, width, components = struct.unpack_from(">BHHB", segment, 4)
    sampling = tuple((segment[at], segment[at + 1]) for at in range(10, 10 + 3 * components, 3))
    return _Frame((width, height), components, marker, precision, sampling)


def _check_scans(data: bytes, position: int, frame: _Frame, segments: int) -> bool:
    """Count what a decoder of several scans will pass over, from the first scan on.

    Returns whether they end, after so little work that a corrupt file may be decoded twice.
    """
    scans = visits = 0
    # Of components with one identifier a decoder takes the first; sorted, the largest is the one that counts.
    blocks = dict(sorted(frame.blocks()))
    while found := _NEXT_MARKER.search(data, position):
        position = found.start()
        marker = data[position + 1]
        if marker in _STANDALONE:
            if marker == _END:
                return visits <= MAX_BLOCK_VISITS // 2
            position += 2
            continue
        length = int.from_bytes(data[position + 2 : position + 4], "big")
        segments += 1
        if marker == _SCAN:
            scans += 1
            visits += sum(blocks.get(name, 0) for name in data[position + 5 : position + 2 + length : 2][:4])
        for counted, given, limit in (
            ("segments", segments, MAX_SEGMENTS),
            ("scans", scans, MAX_SCANS),
            ("blocks to decode over all scans", visits, MAX_BLOCK_VISITS),
        ):
            if given > limit:
                raise too_complex(counted, given, limit)
        position += 2 + length
    return False
