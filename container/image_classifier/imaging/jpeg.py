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
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_STANDALONE = frozenset({0x00, 0x01, *range(0xD0, 0xDA)})
"""Markers without a segment, and the escape of a data byte 255."""
_END, _SCAN, _EXIF, _ADOBE, _COMMENT = 0xD9, 0xDA, 0xE1, 0xEE, 0xFE
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
    coefficients = 0
    if frame.is_progressive or components_in_scan < frame.components:
        _check_scans(data, head.end, frame, head.segments)
        coefficients = 128 * sum(count for _, count in frame.blocks())
    content = b"".join([*head.kept, memoryview(data)[head.end :]]) if head.has_waste else data
    return Jpeg(frame.size, frame.components, orientation, head.has_adobe, coefficients, content)


@dataclass(frozen=True, slots=True)
class _Frame:
    size: tuple[int, int]
    components: int
    is_progressive: bool
    sampling: tuple[tuple[int, int], ...]
    """Of each component its identifier, and its horizontal and vertical sampling factor, four bits each."""

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
        self.has_adobe = self.has_waste = False
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
        if marker == _ADOBE and segment.startswith(b"Adobe", 4):
            self.has_adobe = True
        elif marker in _FRAMES:
            if self.frame is not None:
                raise corrupt("it has two frame headers")
            self.frame = _frame(marker, segment)


def _frame(marker: int, segment: bytes) -> _Frame:
    height, width, components = struct.unpack_from(">HHB", segment, 5)
    sampling = tuple((segment[at], segment[at + 1]) for at in range(10, 10 + 3 * components, 3))
    return _Frame((width, height), components, marker in _PROGRESSIVE, sampling)


def _check_scans(data: bytes, position: int, frame: _Frame, segments: int) -> None:
    """Count what a decoder of several scans will pass over, from the first scan on."""
    scans = visits = 0
    blocks = dict(frame.blocks())
    while found := _NEXT_MARKER.search(data, position):
        position = found.start()
        marker = data[position + 1]
        if marker in _STANDALONE:
            if marker == _END:
                return
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
