"""Durations as people write them: a whole number and a unit, such as 30m, 12h or 7d."""

import re

_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def seconds(text: str) -> int:
    """Return the seconds of a duration above 0.

    Raises:
        ValueError: It has another form.
    """
    found = re.fullmatch(r"\s*([1-9]\d{0,8})\s*([smhd])\s*", text)
    if not found:
        raise ValueError(f"{text!r} is not a whole number above 0 with a unit, such as 30m, 12h or 7d")
    return int(found[1]) * _SECONDS[found[2]]
