"""How many requests are worked on at once."""

import pytest

from image_classifier.serving.admission import Admission
from image_classifier.serving.refusal import RefusedError


def test_beyond_the_limit_is_refused_at_once() -> None:
    """Two places taken of two -> 503 with Retry-After and the limit; a place given back -> taken again."""
    admission = Admission(2)
    with admission.place():
        with admission.place(), pytest.raises(RefusedError) as found, admission.place():
            pytest.fail("there was no place")
        with admission.place():
            pass
    assert (found.value.status, found.value.code, found.value.headers) == (503, "busy", {"Retry-After": "1"})
    assert "2 requests" in found.value.message


def test_failed_work_gives_its_place_back() -> None:
    """Work that raises, more often than there are places -> each time the place is free again."""
    admission = Admission(1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), admission.place():
            _ = 1 / 0
    with admission.place():
        assert admission.limit == 1
