"""Trees of empty files for the pre-flight, which hardly opens one, and what a job says of them."""

from pathlib import Path

import pytest

from image_classifier.contract.errors import ExplainedError
from image_classifier.contract.opt_ml import OptMl
from image_classifier.training.data import preflight, splits
from tests.unit.training import small

JPEG, PNG = b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n"
"""What such files begin with."""


def put(folder: Path, *names: str, content: bytes = b"") -> None:
    """Make files."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def rejected(opt_ml: OptMl, **given: object) -> str:
    """Return the message with which the job ends."""
    with pytest.raises(ExplainedError) as raised:
        preflight.check(opt_ml, small.settings(**given))
    return f"{type(raised.value).__name__}: {raised.value}"


def log(opt_ml: OptMl, capsys: pytest.CaptureFixture[str], **given: object) -> list[str]:
    """Return the log's lines of a job that may begin."""
    splits.read(opt_ml, small.settings(**given))
    return capsys.readouterr().out.splitlines()
