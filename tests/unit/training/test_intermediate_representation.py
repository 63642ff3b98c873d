"""The OpenVINO IR that a job adds to its model."""

from collections.abc import Callable
from pathlib import Path

import pytest

from image_classifier import artifacts
from image_classifier.training import intermediate_representation
from image_classifier.training.data import Data
from tests.unit.inference import colours
from tests.unit.training import small


@pytest.fixture
def data(tmp_path: Path, read_data: Callable[..., Data]) -> Data:
    """Three classes of coloured pictures, a quarter of them for validation."""
    return read_data(small.write_pictures(tmp_path / "data"))


def test_ir_is_added_with_its_figures(tmp_path: Path, data: Data, capsys: pytest.CaptureFixture[str]) -> None:
    """A model that converts -> the IR, its record in the model info, one line with the same figures."""
    folder = colours.save(tmp_path / "model")
    info = intermediate_representation.add(folder, artifacts.read_model_info(folder), data.validation.examples, 1)
    found = info.extra["openvino"]
    assert (found["pictures"], found["made_up"], found["other_answers"]) == (15, False, 0)
    assert found["sha256"] == artifacts.folder_sha256(folder / "openvino")
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 1
    assert said[0].startswith("OpenVINO IR: on 15 validation pictures its probabilities differ from TensorFlow's by at")
    assert f"{found['largest_difference']:.6f}, 0 other answers" in said[0]


def test_ir_that_cannot_be_is_left_out(tmp_path: Path, data: Data, capsys: pytest.CaptureFixture[str]) -> None:
    """A model that answers NaN -> no IR, the reason in one line and in the model info, no error."""
    folder = colours.save(tmp_path / "model", sharpness=float("nan"))
    before = sorted(path.name for path in folder.iterdir())
    info = intermediate_representation.add(folder, artifacts.read_model_info(folder), data.validation.examples, 1)
    reason = info.extra["openvino"]["left_out"]
    assert "differ from TensorFlow's by up to nan" in reason
    assert capsys.readouterr().out == f"OpenVINO IR left out: {reason}. TensorFlow serves this model.\n"
    assert sorted(path.name for path in folder.iterdir()) == before
