"""Content-Encoding (RFC 9110, 8.4): gzip is decompressed up to the body limit, all others are rejected."""

import zlib

from image_classifier.serving import rejection
from image_classifier.serving.rejection import RejectedError

ACCEPTED = "gzip, identity"
_GZIP = frozenset({"gzip", "x-gzip"})
_GZIP_WINDOW = 16 + zlib.MAX_WBITS
_PIECE = 65_536
_MAX_MEMBERS = 10_000
"""Members of a gzip file; block-wise tools write one per 64 KB."""


def decoded(encoding: str | None, body: bytes, limit: int) -> bytes:
    """Return the body without its Content-Encoding, at most `limit` bytes.

    Raises:
        RejectedError: The encoding is not gzip (415), the body is not valid gzip (400), or it is too large unpacked
        (413).
    """
    names = [name for name in (encoding or "").lower().replace(" ", "").replace("\t", "").split(",") if name]
    names = [name for name in names if name != "identity"]
    if not names:
        return body
    if len(names) > 1 or names[0] not in _GZIP:
        given = (encoding or "")[:100]
        message = f"Content-Encoding {given!r} is not supported. Supported: {ACCEPTED}. Send the body without it."
        raise RejectedError(415, "unsupported_encoding", message, {"Accept-Encoding": ACCEPTED})
    try:
        return _gunzip(body, limit)
    except zlib.error as error:
        raise _invalid(str(error)) from error


def _gunzip(body: bytes, limit: int) -> bytes:
    content = bytearray()
    member, members, position = zlib.decompressobj(_GZIP_WINDOW), 1, 0
    while position < len(body):
        piece = body[position : position + _PIECE]
        content += member.decompress(piece, limit + 1 - len(content))
        if len(content) > limit:
            raise rejection.body_too_large(limit)
        position += len(piece) - len(member.unused_data)
        if member.eof and position < len(body):
            member, members = zlib.decompressobj(_GZIP_WINDOW), members + 1
            if members > _MAX_MEMBERS:
                raise _invalid(f"it has more than {_MAX_MEMBERS:,} members")
    if not member.eof:
        raise _invalid("it ends early")
    return bytes(content)


def _invalid(reason: str) -> RejectedError:
    message = (
        f"Content-Encoding is gzip, but the body is not valid gzip: {reason}. Send it again, or without the header."
    )
    return RejectedError(400, "invalid_encoding", message)
