"""Corruption of image bytes: one function per kind, all driven by the given random generator."""

import struct
import zlib
from collections.abc import Callable, Mapping
from random import Random

from tests.unit.imaging import samples

_SIDES = (0, 1, 2, 255, 256, 4_000, 16_383, 30_000, 65_535, 0x7FFFFFFF, 0xFFFFFFFF)


def cut(data: bytes, random: Random) -> bytes:
    """End anywhere."""
    return data[: random.randrange(len(data) + 1)]


def cut_at_marker(data: bytes, random: Random) -> bytes:
    """End a JPEG at one of its markers, before it, within it or behind its length, with and without an end marker."""
    markers = [at for at in range(2, len(data) - 1) if data[at] == 0xFF and data[at + 1] not in (0x00, 0xFF)]
    if not data.startswith(b"\xff\xd8") or not markers:
        return cut(data, random)
    return data[: random.choice(markers) + random.choice((0, 1, 2, 4))] + random.choice((b"", b"\xff\xd9"))


def flipped(data: bytes, random: Random) -> bytes:
    """Turn over up to 16 bits."""
    found = bytearray(data)
    for _ in range(random.randint(1, 16) if found else 0):
        found[random.randrange(len(found))] ^= 1 << random.randrange(8)
    return bytes(found)


def header(data: bytes, random: Random) -> bytes:
    """Change up to 8 of the first 64 bytes, after those that tell the format."""
    found = bytearray(data)
    for _ in range(random.randint(1, 8) if len(found) > 12 else 0):
        found[random.randrange(4, min(64, len(found)))] = random.choice((0, 1, 0x7F, 0x80, 0xFF, random.randrange(256)))
    return bytes(found)


def trailing(data: bytes, random: Random) -> bytes:
    """Go on after the end, with noise or with the image again."""
    return data + random.choice((random.randbytes(random.randint(1, 4_096)), data, bytes(4_096)))


def leading(data: bytes, random: Random) -> bytes:
    """Begin with something else."""
    return random.randbytes(random.randint(1, 16)) + data


def doubled(data: bytes, random: Random) -> bytes:
    """Say a part of it twice."""
    start = random.randrange(len(data) + 1)
    end = min(len(data), start + random.randint(1, 200))
    return data[:end] + data[start:]


def zeroed(data: bytes, random: Random) -> bytes:
    """Forget a part of it."""
    start = random.randrange(len(data) + 1)
    end = min(len(data), start + random.randint(1, 200))
    return data[:start] + bytes(end - start) + data[end:]


def sized(data: bytes, random: Random) -> bytes:
    """Write other sides into its header."""
    across, down = random.choice(_SIDES), random.choice((*_SIDES, random.randrange(1, 2_000)))
    found = bytearray(data)
    if data.startswith(b"\x89PNG") and len(data) > 33:
        found[16:24] = struct.pack(">II", across, down)
        return with_checksums(bytes(found))
    if data.startswith(b"GIF8") and len(data) > 13:
        at = random.choice((6, data.find(b",", 13) + 5))
        found[at : at + 4] = struct.pack("<HH", across & 0xFFFF, down & 0xFFFF)
    elif data.startswith(b"BM") and len(data) > 26:
        found[18:26] = struct.pack("<II", across, random.choice((down, (-down) & 0xFFFFFFFF)))
    elif data.startswith(b"RIFF") and len(data) > 30:
        found[24:30] = struct.pack("<II", across, down)[1:7]
    elif (at := max(data.find(b"\xff\xc0"), data.find(b"\xff\xc2"))) > 0:
        found[at + 5 : at + 9] = struct.pack(">HH", down & 0xFFFF, across & 0xFFFF)
    return bytes(found)


def inside(data: bytes, random: Random) -> bytes:
    """Damage a PNG behind its checksums, which then are right; anything else as by `flipped`."""
    found = flipped(data, random)
    return with_checksums(data[:8] + found[8:]) if data.startswith(b"\x89PNG") else found


def exif(data: bytes, random: Random) -> bytes:
    """Put an EXIF block there that is wrong: noise, a directory that points at itself, or one of many entries."""
    directories = (
        random.randbytes(random.randint(0, 300)),
        b"MM\0*\0\0\0\x08\0\x01\x87\x69\0\x04\0\0\0\x01\0\0\0\x08\0\0\0\x08",
        b"II*\0\x08\0\0\0\xff\xff" + random.randbytes(200),
        b"II*\0\x08\0\0\0\x01\0\x12\x01\x02\0\xff\xff\xff\xff\xff\xff\xff\x7f\0\0\0\0",
    )
    block = random.choice(directories)
    if data.startswith(b"\xff\xd8"):
        content = b"Exif\0\0" + block
        return data[:2] + b"\xff\xe1" + struct.pack(">H", random.choice((len(content) + 2, 3))) + content + data[2:]
    if data.startswith(b"\x89PNG"):
        return data[:33] + samples.chunk(b"eXIf", block) + data[33:]
    return data


def with_checksums(data: bytes) -> bytes:
    """Write the checksum that is right into each chunk of a PNG, as far as its chunks can be followed."""
    found, at = bytearray(data), 8
    while at + 12 <= len(found):
        end = at + 8 + int.from_bytes(found[at : at + 4], "big")
        if end + 4 > len(found):
            break
        found[end : end + 4] = struct.pack(">I", zlib.crc32(found[at + 4 : end]))
        at = end + 4
    return bytes(found)


DAMAGES: Mapping[str, Callable[[bytes, Random], bytes]] = {
    "cut short": cut,
    "cut at a marker": cut_at_marker,
    "bits turned over": flipped,
    "header edited": header,
    "bytes after the end": trailing,
    "bytes before the start": leading,
    "a part twice": doubled,
    "a part zeroed": zeroed,
    "other sides in the header": sized,
    "corrupt behind its checksums": inside,
    "wrong EXIF": exif,
}
"""By what the report calls them."""
