"""Waiting for AWS, with looks that a test counts."""

import pytest

from image_classifier.cloud.sagemaker import waiting
from image_classifier.contract.errors import PlatformError


def test_the_first_result_ends_the_looks() -> None:
    """Given a third look with a result -> it is returned, and there is no fourth look."""
    answers = iter([None, None, "over", "too late"])
    assert waiting.until(lambda: next(answers), pause=0.0) == "over"
    assert next(answers) == "too late"


@pytest.mark.parametrize(("patience", "looks"), [(0.0, 1), (0.05, 3)])
def test_patience_ends_the_looks(patience: float, looks: int) -> None:
    """Given no result -> None after the time, and at least one look."""
    seen = 0

    def look() -> str | None:
        nonlocal seen
        seen += 1
        return None

    assert waiting.until(look, patience, pause=0.02) is None
    assert 1 <= seen <= looks


def test_what_does_not_end_in_time_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given something that goes on -> a sentence with its name and the time that was waited."""
    monkeypatch.setattr(waiting, "PATIENCE", 0.0)
    with pytest.raises(PlatformError, match=r"^The endpoint flowers did not end within 0 s\. Try again\.$"):
        waiting.until_ended(lambda: None, "The endpoint flowers")
