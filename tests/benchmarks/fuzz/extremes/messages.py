"""Expensive headers and framing: long values, floods of fields, encodings that inflate, tiny chunks."""

import gzip
import zlib
from collections.abc import Callable, Mapping
from functools import cache
from random import Random

from tests.benchmarks.fuzz.extremes.extreme import IMAGE, JSON, JSON_LINES, Extreme, repeated
from tests.platform import sample_images

_MEGABYTE = 1 << 20
_GOOD = sample_images.encode(sample_images.plain(), "PNG")
_NAMES = ("Accept", "Accept", "Content-Encoding", "Cookie", "X-Amzn-SageMaker-Custom-Attributes", "Connection", "X-Any")
_PIECES = (
    *(
        '\\"',
        '"',
        "'",
        "\\",
        ",",
        ";",
        ";a=",
        '="',
        "=",
        "/",
        " ",
        "\t",
        "1",
        "a",
        "\xe9",
        "a/b;q=0.1,",
        "q=0.",
        "*/*,",
    ),
    *("application/json;", "application/json;verbose,", "application/json;n_predictions=9,", "close,", "gzip,"),
)
MOST_HEADER_BYTES = 30_000


def long_values(random: Random) -> Extreme:
    """Repeat a piece in the value of one to three fields of one name, quoted or not."""
    opening = random.choice(("", '"', "application/json;a=", 'application/json;a="'))
    value = opening + repeated(random, random.choice(_PIECES).encode("latin-1"), 8_000).decode("latin-1")
    name = random.choice(_NAMES)
    return Extreme(_GOOD, headers=((name, value.strip() or "x"),) * random.choice((1, 1, 3)))


def quoted_accept(fields: int) -> Extreme:
    """Send Accept fields of 8 KB of escaped quotes, of which the first opens a quoted string."""
    quotes = '\\"' * 4_000
    return Extreme(_GOOD, headers=(("Accept", f'"{quotes}'), *[("Accept", quotes)] * (fields - 1)))


def long_types(random: Random) -> Extreme:
    """Repeat a piece in the value of Content-Type."""
    opening = random.choice(("", "image/png;a=", 'application/json; charset="', "multipart/form-data; boundary="))
    value = opening + repeated(random, random.choice(_PIECES).encode("latin-1"), 8_000).decode("latin-1")
    return Extreme(_GOOD, value.strip() or "x")


def many_fields(random: Random) -> Extreme:
    """Send as many fields as fit, of one name or of many."""
    name, value = random.choice((*_NAMES, "Host", "")), random.choice(("a", "a,b;q=0.5", '"', "1"))
    count = int(10 ** random.uniform(1, 3.4))
    names = [name or f"X-{number}" for number in range(min(count, MOST_HEADER_BYTES // (len(value) + 12)))]
    return Extreme(_GOOD, headers=tuple((one, value) for one in names))


def inflating_bodies(random: Random) -> Extreme:
    """Send a body in gzip or deflate that inflates to up to 1 GB, or that was packed more than once."""
    kind, plain = random.choice(
        ((IMAGE, bytes(1)), (IMAGE, _GOOD), (JSON, b"["), (JSON, b'{"a":'), (JSON_LINES, b"\n"))
    )
    name = random.choice((*_PACKERS, "br", "identity"))
    # Concatenated members are a gzip file too (RFC 1952, 2.2).
    packed = _packed(name, plain, random.choice((1, 16)) * _MEGABYTE) * random.choice((1, 1, 64))
    return Extreme(packed, kind, headers=(("Content-Encoding", name),), images=10_000 if kind == JSON_LINES else 1)


def gzip_members(random: Random) -> Extreme:
    """Send a gzip body of very many members, each of which unpacks to next to nothing."""
    member = _gzip(random.choice((b"", b"a", bytes(1_000))))
    return Extreme(repeated(random, member, 1_500_000), random.choice((IMAGE, JSON)), (("Content-Encoding", "gzip"),))


def tiny_chunks(random: Random) -> Extreme:
    """Send a body in chunks of few bytes."""
    content = repeated(random, random.choice((_GOOD, b"a", b"[")), 300_000)
    return Extreme(content, random.choice((IMAGE, JSON)), chunk_bytes=random.choice((1, 2, 50)))


def _gzip(data: bytes) -> bytes:
    return gzip.compress(data, 6, mtime=0)


_PACKERS: Mapping[str, Callable[[bytes], bytes]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": zlib.compress,
    "gzip, gzip": lambda data: _gzip(_gzip(data)),
}


@cache
def _packed(name: str, piece: bytes, length: int) -> bytes:
    return _PACKERS.get(name, _gzip)(piece * (length // len(piece)))
