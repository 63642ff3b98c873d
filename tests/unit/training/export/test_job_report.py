"""The report is optional: out of time or failing, it is left out, and the job goes on."""

import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from image_classifier import artifacts
from image_classifier.artifacts import ModelInfo
from image_classifier.contract import report_files
from image_classifier.contract.errors import UserError
from image_classifier.evaluation.evidence import Evidence, Split
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
    for name in report_files.ALL:
        (tmp_path / "data" / name).write_text("of an earlier job")
    return folder


def write(model: Path, stop: StopSignal, error: Exception | None = None) -> JobReport:
    """Write a report whose preparation failed."""
    prepared: Any = Future()
    prepared.set_exception(error or AssertionError("nothing may be prepared"))
    return job_report.write(model.parent / "data", model, prepared, {}, True, stop)


def test_stopped_job_leaves_its_report_out(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """SIGTERM before the report -> nothing is collected, one line says why, and no earlier report remains."""
    stop = StopSignal()
    stop.set()
    assert write(model, stop) == JobReport(left_out="SIGTERM")
    assert capsys.readouterr().out == "Report left out: SIGTERM.\n"
    assert list((model.parent / "data").iterdir()) == []


def test_stop_within_the_preparation_leaves_it_out(
    model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """SIGTERM while the evidence is collected -> its thread ends, and nothing is written."""
    stop, nothing = StopSignal(), cast(Any, None)

    def collect(_: object, check: Callable[[], None]) -> None:
        stop.set()
        check()

    monkeypatch.setattr(evidence, "collect", collect)
    with job_report.preparation(nothing, stop) as prepared:
        found = job_report.write(model.parent / "data", model, prepared, {}, True, stop)
    assert found == JobReport(left_out="SIGTERM")
    assert "Report left out: SIGTERM." in capsys.readouterr().out
    assert list((model.parent / "data").iterdir()) == []


def test_preparation_ends_with_a_job_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error while the model is verified -> the thread ends at its next check instead of delaying the job."""

    def collect(_: object, check: Callable[[], None]) -> None:
        while True:
            check()
            time.sleep(0.01)

    monkeypatch.setattr(evidence, "collect", collect)
    nothing: Any = None
    with pytest.raises(KeyError), job_report.preparation(nothing, StopSignal()) as prepared:
        raise KeyError
    assert prepared.done()


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (UserError("A feature is infinite. Train again."), "A feature is infinite. Train again"),
        (KeyError("x"), "KeyError: 'x'"),
    ],
    ids=["explained", "unexpected"],
)
def test_failure_is_one_warning(model: Path, capsys: pytest.CaptureFixture[str], error: Exception, shown: str) -> None:
    """Any exception in the report -> one warning with its reason, and the job ends as without a report."""
    assert write(model, StopSignal(), error) == JobReport()
    assert capsys.readouterr().out == (
        f"WARNING: No report: {shown}. The model and the CSV files are complete without it.\n"
    )


def test_host_without_images_to_judge_says_so(
    model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No validation image on this host of a sharded channel -> a warning that says that, and no report."""
    nothing: Any = None
    empty = Split("validation", Path("x"), (), np.empty(0, np.int64), np.empty((0, 2), np.float32))
    monkeypatch.setattr(evidence, "collect", lambda *_: Evidence(("a", "b"), empty))
    with job_report.preparation(nothing, StopSignal()) as prepared:
        found = job_report.write(model.parent / "data", model, prepared, {}, True, StopSignal())
    assert found == JobReport()
    assert "WARNING: No report: This host has neither validation nor test images." in capsys.readouterr().out
