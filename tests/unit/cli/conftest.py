from pathlib import Path

import pytest

from image_classifier.runners.job_tree import LocalJob


@pytest.fixture
def job(tmp_path: Path) -> LocalJob:
    """A job with images of one class and a model folder, side by side."""
    (tmp_path / "images" / "cat").mkdir(parents=True)
    (tmp_path / "images" / "cat" / "1.jpg").write_bytes(b"cat")
    (tmp_path / "backbone").mkdir()
    return LocalJob(tmp_path / "images", tmp_path / "backbone", tmp_path / "out")
