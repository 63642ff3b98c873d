"""Numbers and names as sentences show them."""

import math

from image_classifier.contract import names
from image_classifier.evaluation.statistics import Interval

LONGEST_NAME = 60
"""Characters of a class name in a sentence or a caption; the table of classes has names in full."""
UNDEFINED = "undefined"
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_ROUNDING = 1e-9
"""By which a computed bound may miss 0 or 1."""


def percent(value: float) -> str:
    """Return a share as a percentage with one decimal; 100.0 % and 0.0 % mean exactly 1 and 0."""
    return UNDEFINED if math.isnan(value) else f"{_percentage(value)} %"


def interval(found: Interval) -> str:
    """Return an interval of shares, such as `84.0 to 90.2 %`."""
    return f"{_percentage(found.low)} to {_percentage(found.high)} %"


def points(difference: float, unit: str = "points") -> str:
    """Return the size of a difference of two shares in percentage points, without its sign."""
    return f"{abs(difference) * 100:.1f} {unit}"


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun: `1 image`, `1,024 images`."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def duration(seconds: float) -> str:
    """Return a duration in the unit that suits it: `0.4 s`, `41 s`, `3 min 20 s`, `2 h 5 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    larger, smaller, units = (whole // 60, whole % 60, ("min", "s"))
    if whole >= 3600:
        larger, smaller, units = (whole // 3600, whole % 3600 // 60, ("h", "min"))
    return f"{larger} {units[0]} {smaller} {units[1]}" if smaller else f"{larger} {units[0]}"


def megabytes(size: int) -> str:
    """Return a number of bytes in megabytes (10^6): `3.6 MB`, `112 MB`."""
    return f"{size / 1e6:.1f} MB" if size < 99.95e6 else f"{size / 1e6:,.0f} MB"


def power(value: float) -> str:
    """Return a number with one digit and a power of ten: `2·10⁻⁷`; 0 as it is."""
    digits, _, exponent = f"{value:.0e}".partition("e")
    return f"{digits}·10{str(int(exponent)).translate(_SUPERSCRIPTS)}" if value else "0"


def quoted(name: str) -> str:
    """Return a `shortened` class name in quotes."""
    return f'"{shortened(name)}"'


def shortened(name: str) -> str:
    """Return a name on one line, without its middle if it is very long."""
    shown = names.on_one_line(name)
    half = LONGEST_NAME // 2
    return shown if len(shown) <= LONGEST_NAME else f"{shown[:half]}…{shown[-half + 1 :]}"


def _percentage(value: float) -> str:
    shown = f"{value * 100:.1f}"
    if shown == "100.0" and value < 1 - _ROUNDING:
        return "99.9"
    return "0.1" if shown == "0.0" and value > _ROUNDING else shown
