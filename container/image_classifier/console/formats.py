"""Numbers and times as the templates show them; `register` makes filters of them."""

import time
from datetime import UTC, datetime

from jinja2 import Environment

from image_classifier.contract import names
from image_classifier.evaluation import wording

_UNITS = ("B", "KB", "MB", "GB", "TB")


def size(count: int) -> str:
    """Return a number of bytes in decimal units: `812 B`, `1.2 GB`, `24 GB`."""
    value, unit = float(count), 0
    while value >= 999.5 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.1f} {_UNITS[unit]}" if unit and value < 9.95 else f"{value:.0f} {_UNITS[unit]}"


def moment(unix: float, now: float | None = None) -> str:
    """Return a local time: `17:41` today, `29 Nov 17:41` this year, else `29 Nov 2025`."""
    then, today = time.localtime(unix), time.localtime(now)
    if then[:3] == today[:3]:
        return time.strftime("%H:%M", then)
    day = f"{then.tm_mday} {time.strftime('%b', then)}"
    return f"{day} {time.strftime('%H:%M', then)}" if then.tm_year == today.tm_year else f"{day} {then.tm_year}"


def machine_time(unix: float) -> str:
    """Return a time for the attribute `datetime`: ISO 8601 in UTC."""
    return datetime.fromtimestamp(unix, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def about(seconds: float) -> str:
    """Return a duration that is only estimated, rounded: `3 s`, `40 s`, `3 min`, `1 h 20 min`."""
    if seconds < 60:
        step = 1 if seconds < 10 else 5
        return f"{max(1, step * round(seconds / step))} s"
    minutes = round(seconds / 60)
    step = 1 if minutes < 20 else 5 if minutes < 120 else 10
    minutes = step * round(minutes / step)
    return wording.duration(minutes * 60)


def register(environment: Environment) -> None:
    """Add the filters: size, moment, machine_time, about; percent, counted, duration, one_line, short."""
    environment.filters.update(
        size=lambda count: unbroken(size(count)),
        moment=lambda unix: unbroken(moment(unix)),
        machine_time=machine_time,
        about=lambda seconds: unbroken(about(seconds)),
        percent=lambda share: unbroken(wording.percent(share)),
        duration=lambda seconds: unbroken(wording.duration(seconds)),
        counted=wording.counted,
        one_line=names.on_one_line,
        short=wording.shortened,
    )


def unbroken(text: str) -> str:
    """Return a text that does not wrap."""
    return text.replace(" ", "\N{NO-BREAK SPACE}")
