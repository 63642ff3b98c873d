"""What the quantiser's process leaves when it or the disk fails: no file that the model info does not record."""

import errno
import shutil
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from image_classifier import artifacts
from image_classifier.class_folders.listing import Example, Listing
from image_classifier.inference.openvino_model import precision_record
from image_classifier.training.export import int8_ir
from image_classifier.training.export.child_process import Child, ChildKilled
from image_classifier.training.stopping import StopSignal
from tests.unit.inference import convolutions
from tests.unit.training.export.stand_ins import TrainedStandIn


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A verified model folder with a float32 IR."""
    return convolutions.write(tmp_path / "model")


def add(folder: Path) -> bool:
    """Add int8 as a job does that begins with it here."""
    images = Listing(Path(), convolutions.COLOURS, tuple(Example(Path(f"{row}.png"), row % 3) for row in range(210)))
    info = artifacts.read_model_info(folder)
    inputs = {"training": images, "validation": images, "arrays": None, "precision": "off"}
    predictions = {"expected": None, "probabilities": None}
    trained: Any = TrainedStandIn(backbone=SimpleNamespace(info=info), **inputs, **predictions)
    with int8_ir.beginning(folder, trained, "auto", StopSignal()) as found:
        assert found
        return int8_ir.add(folder, found, StopSignal())


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (ChildKilled("its process was killed by SIGKILL"), "its process was killed by SIGKILL"),
        ('{"int8": {"sha256": "a"}}', "UserError: The entry precisions.int8 in the model info of "),
        ("no JSON", "JSONDecodeError: Expecting value"),
    ],
)
def test_files_without_a_valid_record_are_removed(
    folder: Path, monkeypatch: pytest.MonkeyPatch, outcome: Exception | str, reason: str
) -> None:
    """The process ends when the int8 IR is in place, and its record is not or is nonsense -> the reason, and no IR."""
    plant_process(monkeypatch, folder, outcome)
    assert add(folder)
    assert str(precision_record.left_out(artifacts.read_model_info(folder), "int8")).startswith(reason)
    assert not precision_record.folder_of(folder).exists()


def test_full_disk_before_the_process_costs_no_job(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder for the process cannot be made, at the start and again -> the reason, and the job has its model."""

    def full(*given: Any, **options: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryDirectory", full)
    assert add(folder)
    reason = precision_record.left_out(artifacts.read_model_info(folder), "int8")
    assert reason == "OSError: [Errno 28] No space left on device"


def test_full_disk_under_the_record_costs_no_job(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The model info cannot be written -> a line that says so, the model info as it was, and no int8 IR."""
    plant_process(monkeypatch, folder, "{}")
    before = (folder / artifacts.MODEL_INFO_FILE).read_bytes()

    def full(*given: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(artifacts, "write_model_info", full)
    assert add(folder)
    assert "int8 IR left out: OSError: [Errno 28] No space left on device. The" in capsys.readouterr().out
    assert not precision_record.folder_of(folder).exists()
    assert (folder / artifacts.MODEL_INFO_FILE).read_bytes() == before


def plant_process(monkeypatch: pytest.MonkeyPatch, folder: Path, outcome: Exception | str) -> None:
    """Put a process in the place of the quantiser's that installs an int8 IR, and ends so or records this."""

    def start(child: Child, module: str, scratch: Path, request: Any) -> None:
        child._stderr = scratch / "stderr"

    def wait(child: Child, stop: StopSignal) -> None:
        shutil.copytree(folder / "openvino", precision_record.folder_of(folder))
        if isinstance(outcome, Exception):
            raise outcome
        child._stderr.with_name("result.json").write_text(outcome)

    monkeypatch.setattr(Child, "__init__", start)
    monkeypatch.setattr(Child, "wait", wait)
    monkeypatch.setattr(Child, "end", lambda child: None)
