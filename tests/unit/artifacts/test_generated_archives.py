"""Archives that no packer writes: each is unpacked or rejected in one sentence, at a bounded cost."""

import gzip
import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from random import Random

from image_classifier import archives
from image_classifier.contract.errors import UserError
from tests.benchmarks.fuzz.cost import Meter

COUNT = 300
CPU_SECONDS, SECONDS_A_MEGABYTE, MEGABYTES = 0.5, 2.0, 64
"""What one may cost, the second for each million bytes; at most 0.03 s in all and less than 1 MB were measured."""
_BLOCK, _END = 512, bytes(1024)


def header(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    """Make the header of a member, of whatever kind and size."""
    member = tarfile.TarInfo(name)
    member.size, member.type = size, kind
    return member.tobuf(tarfile.GNU_FORMAT)


def padded(content: bytes) -> bytes:
    """Fill the last block."""
    return content + bytes(-len(content) % _BLOCK)


def pax(content: bytes) -> bytes:
    """Make a PAX header (POSIX.1-2001, pax interchange format) of any content, and a file after it."""
    return header("pax", len(content), tarfile.XHDTYPE) + padded(content) + header("f", 0) + _END


def records(**fields: bytes) -> bytes:
    """Write PAX records, each of which begins with its own length."""
    found = b""
    for name, value in fields.items():
        rest = b" " + name.encode() + b"=" + value + b"\n"
        length = len(rest) + len(str(len(rest)))
        length += len(str(length)) - len(str(len(rest)))
        found += b"%d" % length + rest
    return found


def long_name(random: Random) -> bytes:
    """Give a member a GNU long name of up to 100 MB."""
    name = b"a" * some(random, 8)
    return header("././@LongLink", len(name), tarfile.GNUTYPE_LONGNAME) + padded(name) + header("f", 0) + _END


def long_records(random: Random) -> bytes:
    """Give a member a PAX path of up to 10 MB, or up to 10,000 fields."""
    if random.random() < 0.5:
        return pax(records(path=b"a" * some(random, 7)))
    return pax(records(**{f"k{number}": b"v" for number in range(some(random, 4))}))


def sparse(random: Random) -> bytes:
    """Promise a sparse file with many holes, in the old form or in PAX."""
    fields = {"GNU.sparse.map": b",".join([b"0,1"] * some(random, 5)), "GNU.sparse.size": b"1", "GNU.sparse.name": b"s"}
    return random.choice((pax(records(**fields)), header("f", 0, tarfile.GNUTYPE_SPARSE) + _END))


def large_member(random: Random) -> bytes:
    """Promise up to 100 GB that do not follow."""
    return header("f", 1000 * some(random, 8)) + bytes(2_000)


def odd_members(random: Random) -> bytes:
    """Make a member a file and a folder, give it a name of 300 characters, or one with odd bytes, or leave it out."""
    names = ("a", "a/b", "a" * 300, "x\x01y", "a\\b", "CON", ".", "..", "/", "//a", "é", "a/../b")
    kinds = (tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, b"Z", b"\0")
    return b"".join(header(random.choice(names), 0, random.choice(kinds)) for _ in range(random.randint(1, 4))) + _END


def noise(random: Random) -> bytes:
    """Fill a PAX header with noise, or change bytes of a sound archive."""
    if random.random() < 0.5:
        return pax(random.randbytes(some(random, 5)))
    found = bytearray(header("f", 5) + padded(b"hello") + header("d", 0, tarfile.DIRTYPE) + _END)
    for _ in range(random.randint(1, 8)):
        found[random.randrange(len(found))] = random.randrange(256)
    return bytes(found)


def some(random: Random, digits: int) -> int:
    """Draw a number of up to so many digits; small ones are as frequent as large ones."""
    return int(10 ** random.uniform(1, digits))


def packed(random: Random, content: bytes) -> bytes:
    """Leave it as it is, compress it, or cut the compressed end off."""
    how = random.randrange(3)
    compressed = gzip.compress(content, 1, mtime=0) if how else content
    return compressed[: -random.randint(1, 20)] if how == 2 else compressed


KINDS: tuple[Callable[[Random], bytes], ...] = (long_name, long_records, sparse, large_member, odd_members, noise)


def test_generated_archives_are_unpacked_or_rejected_at_a_bounded_cost(tmp_path: Path) -> None:
    """Given 300 archives of all kinds -> no error but UserError, and CPU and memory within what their bytes justify."""
    random, meter, wrong, rejected = Random(7), Meter([os.getpid()]), [], 0
    for number in range(COUNT):
        kind = KINDS[number % len(KINDS)]
        content = packed(random, kind(random))
        archive = tmp_path / f"{number}.tar.gz"
        archive.write_bytes(content)
        meter.start()
        try:
            archives.unpack(archive, tmp_path / f"{number}")
        except UserError:
            rejected += 1
        cost = meter.stop(settle=False)
        archive.unlink()
        allowed = CPU_SECONDS + SECONDS_A_MEGABYTE * len(content) / 1e6
        if cost.cpu_seconds > allowed or cost.megabytes > MEGABYTES:
            wrong.append(f"{kind.__name__} {number}, {len(content):,} bytes: {cost}")
    assert wrong == []
    assert 50 < rejected < COUNT
