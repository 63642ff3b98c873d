"""The list of allowed operations is what the families use and what was chosen by hand, nothing else."""

from pathlib import Path

import pytest

from image_classifier.untrusted_models import allow_list
from tests.families import allowed_operations
from tests.families.pure_operations import PURE

pytestmark = pytest.mark.no_cover


@pytest.mark.every
@pytest.mark.slow
def test_list_is_up_to_date(tmp_path: Path) -> None:
    """Every family, our exports and the built-in's layout written again -> their operations and the chosen ones."""
    written = allow_list.FILE.read_text(encoding="utf-8")
    assert written == allowed_operations.listed(tmp_path), "run python -m tests.families.allowed_operations"


def test_chosen_operations_are_named_once() -> None:
    """The operations chosen by hand -> each under one reason, a sentence, and on the list."""
    chosen = [name for names in PURE.values() for name in names]
    assert len(chosen) == len(set(chosen))
    assert set(chosen) <= allow_list.allowed()
    assert all(reason.endswith(".") for reason in PURE)
