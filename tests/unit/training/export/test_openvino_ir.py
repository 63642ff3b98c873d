"""The OpenVINO IR that a job adds to its model, made by a child process."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from image_classifier import artifact_checksums, artifacts
from image_classifier.inference.predictor import Predictor
from image_classifier.training.data import validation_sample
from image_classifier.training.data.splits import DataSplits
from image_classifier.training.data.validation_sample import ValidationSample
from image_classifier.training.export import finished_model
from image_classifier.training.export.child_process import Child, Interrupted
from image_classifier.training.export.openvino_ir import IrConversion
from image_classifier.training.stopping import StopSignal
from tests.unit.inference import colours
from tests.unit.training import small


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A classifier of colours without an IR."""
    return colours.save(tmp_path / "model")


@pytest.fixture
def asked(folder: Path, tmp_path: Path, read_data: Callable[..., DataSplits]) -> ValidationSample:
    """Fifteen validation images with TensorFlow's answers."""
    examples = read_data(small.write_images(tmp_path / "data")).validation.examples
    predictions = Predictor.load(folder).predict([example.path.read_bytes() for example in examples])
    return validation_sample.choose(examples, np.array([found.probabilities for found in predictions], np.float32), 1)


def begin(folder: Path, asked: ValidationSample, network: Path | None = None) -> IrConversion:
    """Begin to convert a model folder, from its SavedModel or from another network."""
    network = network or finished_model.with_pixels_alone(folder / "1", folder.parent / "view")
    return IrConversion(folder, network, asked.paths, folder.parent / "work")


def add(
    conversion: IrConversion, folder: Path, asked: ValidationSample, stop: StopSignal | None = None
) -> dict[str, Any]:
    """Wait for the IR and return its entry in the model info; the second form of the network is its frozen graph."""
    info = artifacts.read_model_info(folder)
    model = finished_model.load(folder / "1", info)
    graph = folder.parent / "graph.pb"
    info = conversion.add(info, asked, stop or StopSignal(), lambda: model.write_graph(graph))
    artifacts.write_model_info(folder, info)
    found: dict[str, Any] = info.extra["openvino"]
    return found


def test_ir_is_added_with_its_figures(
    folder: Path, asked: ValidationSample, capsys: pytest.CaptureFixture[str]
) -> None:
    """A model that converts -> the IR, its record in the model info, one line with the same figures."""
    with begin(folder, asked) as conversion:
        found = add(conversion, folder, asked)
    assert (found["images"], found["synthetic"], found["other_answers"]) == (15, False, 0)
    assert found["sha256"] == artifact_checksums.folder_sha256(folder / "openvino")
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 1
    assert said[0].startswith("OpenVINO IR: on 15 validation images its probabilities differ from TensorFlow's by at")
    assert f"{found['largest_difference']:.6f}, 0 different predictions" in said[0]
    assert Predictor.load(folder).engine.name == "openvino"
    assert not (folder.parent / "graph.pb").exists()


def test_second_form_is_tried_where_the_first_fails(folder: Path, asked: ValidationSample, tmp_path: Path) -> None:
    """A SavedModel that OpenVINO cannot read -> the frozen graph is converted instead."""
    with begin(folder, asked, tmp_path / "no such network") as conversion:
        found = add(conversion, folder, asked)
    assert found["other_answers"] == 0
    assert (folder.parent / "graph.pb").is_file()


def test_ir_with_other_answers_is_left_out(
    folder: Path, asked: ValidationSample, capsys: pytest.CaptureFixture[str]
) -> None:
    """An IR that answers otherwise than training -> none, the reason in one line and in the model info, no error."""
    other = ValidationSample(asked.paths, asked.labels, asked.expected[:, ::-1])
    before = sorted(path.name for path in folder.iterdir())
    with begin(folder, asked) as conversion:
        reason = add(conversion, folder, other)["left_out"]
    assert reason.startswith("on 15 images its probabilities differ from TensorFlow's by up to 0.")
    assert capsys.readouterr().out == f"OpenVINO IR left out: {reason}. TensorFlow serves this model.\n"
    assert sorted(path.name for path in folder.iterdir()) == before


def test_crash_of_the_converter_is_a_reason(
    folder: Path, asked: ValidationSample, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process that converts is killed, with either form -> no IR and the reason; the job goes on."""
    before, wait = sorted(path.name for path in folder.iterdir()), Child.wait

    def kill_first(child: Child, stop: StopSignal) -> None:
        os.kill(child._process.pid, signal.SIGKILL)
        wait(child, stop)

    monkeypatch.setattr(Child, "wait", kill_first)
    with begin(folder, asked) as conversion:
        found = add(conversion, folder, asked)
    assert found["left_out"].startswith("its process was killed by SIGKILL")
    assert sorted(path.name for path in folder.iterdir()) == before


def test_told_to_stop_while_converting(folder: Path, asked: ValidationSample) -> None:
    """No time is left -> Interrupted, and nothing of it in the model folder."""
    before, stop = sorted(path.name for path in folder.iterdir()), StopSignal()
    stop.set()
    with begin(folder, asked) as conversion, pytest.raises(Interrupted):
        add(conversion, folder, asked, stop)
    assert sorted(path.name for path in folder.iterdir()) == before
