"""Names of classes and files: one Unicode normalisation form, and printable for any bytes."""

import unicodedata
from collections.abc import Sequence

LISTED = 8
"""Names in one sentence, unless another limit is given."""


def normalised(name: str) -> str:
    """Return a name in Unicode's composed form (NFC, UAX 15), in which class names are compared and written.

    macOS stores `é` as `e` and U+0301, most other systems as U+00E9.
    """
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def is_utf8(name: str) -> bool:
    """Return whether a name from the file system is valid UTF-8; other bytes appear as lone surrogates (PEP 383)."""
    return not any("\ud800" <= character <= "\udfff" for character in name)


def has_control_characters(name: str) -> bool:
    """Return whether a name contains a control character, such as a line feed (Unicode category Cc)."""
    return any(unicodedata.category(character) == "Cc" for character in name)


def printable(text: str) -> str:
    r"""Return a text that UTF-8 can encode: bytes that are not UTF-8 as `\xe9`, other lone surrogates as `\ud83c`."""
    return text if is_utf8(text) else "".join(map(_escaped_surrogate, text))


def on_one_line(text: str) -> str:
    r"""Return `printable` text with control characters escaped too, a line feed as `\x0a`."""
    shown = printable(text)
    return "".join(map(_escaped_control, shown)) if has_control_characters(shown) else shown


def listed(names: Sequence[str], limit: int = LISTED) -> str:
    """Join at most `limit` names with commas, and count the others."""
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more


def code_points(name: str) -> str:
    """Return a name with the code points of its non-ASCII characters: `café (U+00E9)`, `café (U+0301)`."""
    points = " ".join(f"U+{ord(character):04X}" for character in name if not character.isascii())
    return f"{printable(name)} ({points})" if points else name


def look_alike(name: str) -> str:
    """Return what a name has in common with those that are easily taken for it.

    That is its compatibility form (NFKC, UAX 15) without case, spaces and characters that are not drawn: `Cat`, `cat `
    and `cat` with a zero-width space all give `cat`.
    """
    plain = unicodedata.normalize("NFKC", name).casefold()
    return "".join(character for character in plain if unicodedata.category(character)[0] not in "CZ")


def unmistakable(name: str) -> str:
    """Return a name for a message; quoted and with code points when it has characters that are hard to see."""
    plain = name.isascii() and name.isprintable() and name.strip() == name != ""
    return name if plain else code_points(repr(name))


def _escaped_surrogate(character: str) -> str:
    number = ord(character)
    if 0xDC80 <= number <= 0xDCFF:
        return f"\\x{number - 0xDC00:02x}"
    return f"\\u{number:04x}" if 0xD800 <= number <= 0xDFFF else character


def _escaped_control(character: str) -> str:
    return f"\\x{ord(character):02x}" if unicodedata.category(character) == "Cc" else character
