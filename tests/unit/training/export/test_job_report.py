"""The report is optional: out of time or failing, it is left out, and the job goes on."""

from pathlib import Path
from typing import Any

import pytest

from image_classifier import artifacts
from image_classifier.artifacts import ModelInfo
from image_classifier.contract.errors import UserError
from image_classifier.training.export import evidence, job_report
from image_classifier.training.export.job_report import JobReport
from image_classifier.training.stopping import StopSignal


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model folder with its info alone, and the report of an earlier job beside it."""
    folder = tmp_path / "model"
    folder.mkdir()
    artifacts.write_model_info(folder, ModelInfo())
    (tmp_path / "data").mkdir()
    for name in job_report.FILES:
        (tmp_path / "data" / name).write_text("of an earlier job")
    return folder


def write(model: Path, stop: StopSignal) -> JobReport:
    """Write a report of nothing."""
    nothing: Any = None
    return job_report.write(model.parent / "data", model, nothing, {}, True, stop)


def test_stopped_job_leaves_its_report_out(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """SIGTERM before the report -> nothing is collected, one line says why, and no earlier report remains."""
    stop = StopSignal()
    stop.set()
    assert write(model, stop) == JobReport(left_out="SIGTERM")
    assert capsys.readouterr().out == "Report left out: SIGTERM.\n"
    assert list((model.parent / "data").iterdir()) == []


def test_stop_within_the_report_leaves_it_out(
    model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """SIGTERM while the evidence is collected -> the same, before anything is written."""
    stop = StopSignal()
    monkeypatch.setattr(evidence, "collect", lambda *_: stop.set())
    assert write(model, stop) == JobReport(left_out="SIGTERM")
    assert "Report left out: SIGTERM." in capsys.readouterr().out
    assert list((model.parent / "data").iterdir()) == []


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (UserError("A feature is infinite. Train again."), "A feature is infinite. Train again"),
        (KeyError("x"), "KeyError: 'x'"),
    ],
    ids=["explained", "unexpected"],
)
def test_failure_is_one_warning(
    model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception, shown: str
) -> None:
    """Any exception in the report -> one warning with its reason, and the job ends as without a report."""

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(evidence, "collect", fail)
    assert write(model, StopSignal()) == JobReport()
    assert capsys.readouterr().out == (
        f"WARNING: No report: {shown}. The model and the CSV files are complete without it.\n"
    )
