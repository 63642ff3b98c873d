"""Remove secrets from URLs: user info, query and fragment are never printed, logged or recorded.

Presigned URLs carry a signature in the query, private mirrors and proxies a password in the user info (RFC 3986,
sections 3.2.1 and 3.4).
"""

import re
from urllib.parse import parse_qsl, unquote, urlsplit

_CLOSING = ".,;:!)]}'\""
"""Punctuation that may follow a URL in a sentence."""
_SPACES = re.compile(r"(\s+)")
_SLASHES = re.compile(r"(:/+)")
_SHORTEST_SECRET = 4
"""Characters. A shorter query value is a flag, and removing it everywhere would make a text unreadable."""


def without_secrets(text: str) -> str:
    """Return a text, or a single URL, with user info, query and fragment removed from every URL.

    A query is also removed from a URL without its beginning, as libraries quote it. Runs in linear time.
    """
    if ":/" not in text and "?" not in text:
        return text
    return "".join(_word(word) if ":/" in word or "?" in word else word for word in _SPACES.split(text))


def _word(word: str) -> str:
    scheme = word.find(":/")
    is_address = scheme > 1 and word[scheme - 2 : scheme].isalnum()
    if not is_address:
        end = word.find("?")
        name, equals, _ = word[end + 1 :].partition("=")
        return word[:end] + _closing(word) if end >= 0 and equals and name else word
    pieces = _SLASHES.split(word)
    shown = [pieces[0]]
    for slashes, piece in zip(pieces[1::2], pieces[2::2], strict=True):
        kept, cut = _without_query(_without_user_info(piece))
        shown += [slashes, kept]
        if cut:
            # The rest may belong to the query as well.
            return "".join(shown) + _closing(word)
    return "".join(shown)


def _without_user_info(rest: str) -> str:
    """Remove everything before the host from the rest of a URL, also a password that should have been encoded."""
    end = min((place for mark in "/?#" if (place := rest.find(mark)) >= 0), default=len(rest))
    if "@" in rest[:end]:
        return rest[rest.rindex("@", 0, end) + 1 :]
    _, colon, port = rest[:end].partition(":")
    return rest[rest.rindex("@") + 1 :] if colon and not port.isdecimal() and "@" in rest else rest


def _without_query(rest: str) -> tuple[str, bool]:
    end = min((place for mark in "?#" if (place := rest.find(mark)) >= 0), default=-1)
    return (rest[:end], True) if end >= 0 else (rest, False)


def _closing(word: str) -> str:
    return word[len(word.rstrip(_CLOSING)) :]


def cut_out(text: str, address: str) -> str:
    """Return a text without the secrets of `address`, in whatever form they are quoted, and of any other URL.

    For messages of exceptions and servers, which may repeat parts of a request.
    """
    secrets: set[str] = set()
    try:
        parts = urlsplit(address)
        values = [value for _, value in parse_qsl(parts.query)]
        secrets = {parts.query, parts.fragment, *values, *(parts.netloc.rpartition("@")[0].split(":", 1))}
    except ValueError:
        # An invalid URL is only quoted as a whole.
        secrets = {address.partition("?")[2]}
    secrets |= {unquote(secret) for secret in secrets}
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, "***")
    return without_secrets(text)
