import time

import pytest

from image_classifier.console import formats


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 KB"), (9_940, "9.9 KB"), (9_960, "10 KB"), (999_600, "1.0 MB")],
)
def test_sizes_have_two_digits_or_more(count: int, text: str) -> None:
    """Given a number of bytes -> decimal units, one decimal below ten."""
    assert formats.size(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "1 s"), (7, "7 s"), (43, "45 s"), (60, "1 min"), (200, "3 min"), (1500, "25 min"), (4700, "1 h 20 min")],
)
def test_estimates_are_rounded(seconds: float, text: str) -> None:
    """Given an estimated duration -> no more digits than it deserves."""
    assert formats.about(seconds) == text


def test_moments_are_short() -> None:
    """Given times of today, of this year and earlier -> the time, the day and the time, the day and the year."""
    now = time.mktime((2026, 11, 30, 17, 41, 0, 0, 0, -1))
    assert formats.moment(now, now) == "17:41"
    assert formats.moment(now - 86400, now) == "29 Nov 17:41"
    assert formats.moment(now - 400 * 86400, now) == "26 Oct 2025"
