"""Numbers and names in sentences."""

import math

import pytest

from image_classifier.evaluation import wording
from image_classifier.evaluation.statistics import Interval


@pytest.mark.parametrize(
    ("share", "shown"),
    [
        (0.874, "87.4 %"),
        (1.0, "100.0 %"),
        (0.99996, "99.9 %"),
        (1 - 1e-12, "100.0 %"),
        (0.0, "0.0 %"),
        (0.00004, "0.1 %"),
        (math.nan, "undefined"),
    ],
)
def test_percent(share: float, shown: str) -> None:
    """Given a share -> one decimal, and neither 100.0 nor 0.0 for what is not exactly that."""
    assert wording.percent(share) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.42, "0.4 s"), (41.2, "41 s"), (59.6, "1 min"), (200, "3 min 20 s"), (7500, "2 h 5 min"), (7200, "2 h")],
)
def test_duration(seconds: float, shown: str) -> None:
    """Given seconds -> the two largest units that matter."""
    assert wording.duration(seconds) == shown


def test_interval_and_counts() -> None:
    """Given an interval and numbers -> one unit, and a noun in the right number."""
    assert wording.interval(Interval(0.84, 0.902)) == "84.0 to 90.2 %"
    assert wording.counted(1, "class", "classes") == "1 class"
    assert wording.counted(1024, "class", "classes") == "1,024 classes"
    assert wording.points(-0.125) == "12.5 points"


def test_quoted_name_is_short_and_on_one_line() -> None:
    """Given a very long name with a line feed -> at most 60 characters between quotes, with both ends of it."""
    shown = wording.quoted("begin\n" + "x" * 200 + "end")
    assert len(shown) <= wording.LONGEST_NAME + 2
    assert shown.startswith('"begin\\x0a')
    assert shown.endswith('end"')
