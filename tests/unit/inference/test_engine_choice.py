"""Which engine a model folder gets, before anything slow is imported."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from image_classifier import artifacts, durable_files
from image_classifier.contract.errors import UserError
from image_classifier.inference import engines
from image_classifier.inference.engines import EngineOptions, EngineSelection
from image_classifier.inference.openvino_model import ir_record
from image_classifier.resources import processors
from tests.unit.inference import colours


def choose(folder: Path, engine: str = "auto", precision: str = "f32") -> EngineSelection:
    """Choose for a folder as serving does."""
    return engines.choose(folder, artifacts.read_model_info(folder), EngineOptions(engine, precision))


@pytest.fixture
def stale(converted_model: Callable[[str], Path], tmp_path: Path) -> Path:
    """A model folder whose SavedModel was replaced by one with another weight."""
    folder = Path(shutil.copytree(converted_model("both"), tmp_path / "model"))
    shutil.rmtree(folder / "1")
    shutil.copytree(colours.save(tmp_path / "other", sharpness=3.0) / "1", folder / "1")
    return folder


@pytest.mark.parametrize("wanted", ["auto", "openvino"])
def test_model_with_an_ir_gets_openvino(converted_model: Callable[[str], Path], wanted: str) -> None:
    """Given an IR and no GPU -> openvino, without a note."""
    assert choose(converted_model("both"), wanted) == EngineSelection("openvino")


def test_tensorflow_can_be_requested(converted_model: Callable[[str], Path]) -> None:
    """Given an IR and a request for tensorflow -> tensorflow with the same probabilities."""
    folder = converted_model("both")
    assert choose(folder, "tensorflow") == EngineSelection("tensorflow")
    info = artifacts.read_model_info(folder)
    assert engines.load(folder, info, False, EngineOptions("tensorflow")).name == "tensorflow"
    assert engines.load(folder, info, False).name == "openvino"


def test_model_without_an_ir_gets_tensorflow_and_a_note(colour_model: Callable[[str], Path]) -> None:
    """No IR -> tensorflow, with the command that adds one; where openvino is wanted that is an error."""
    folder = colour_model("both")
    note = f"Using TensorFlow: {folder} has no OpenVINO IR. Create one with scripts/convert-model {folder}."
    assert choose(folder) == EngineSelection("tensorflow", note)
    with pytest.raises(
        UserError, match=rf"^SERVE_ENGINE is openvino, but {folder} has no OpenVINO IR\. Create one with scripts/co"
    ):
        choose(folder, "openvino")


def test_ir_of_another_model_is_not_used(stale: Path) -> None:
    """One weight of the SavedModel is another -> tensorflow with the reason; where openvino is wanted an error."""
    assert choose(stale).engine == "tensorflow"
    assert "was converted from another SavedModel" in (choose(stale).note or "")
    with pytest.raises(UserError, match="was converted from another SavedModel than the one beside it"):
        choose(stale, "openvino")


@pytest.mark.parametrize("recorded", [{"left_out": "OpenVINO cannot convert it"}, None, "text"])
def test_ir_without_a_record_is_ignored(
    converted_model: Callable[[str], Path], tmp_path: Path, recorded: object
) -> None:
    """Given files of an IR that the model info does not record, or records as left out -> they are not used."""
    folder = Path(shutil.copytree(converted_model("both"), tmp_path / "model"))
    info = json.loads((folder / "__model_info__.json").read_text())
    durable_files.write_json(folder / "__model_info__.json", {**info, "openvino": recorded})
    assert choose(folder).engine == "tensorflow"


def test_incomplete_record_is_an_error(converted_model: Callable[[str], Path], tmp_path: Path) -> None:
    """A record without its checksum -> rejected with what it lacks and the remedy."""
    folder = Path(shutil.copytree(converted_model("both"), tmp_path / "model"))
    info = json.loads((folder / "__model_info__.json").read_text())
    del info["openvino"]["sha256"]
    durable_files.write_json(folder / "__model_info__.json", info)
    with pytest.raises(UserError, match=r"is incomplete: .*'sha256'.*Run scripts/convert-model"):
        choose(folder)


def test_record_is_read_as_it_was_written(converted_model: Callable[[str], Path]) -> None:
    """A converted model -> figures of its check in its model info, which come back as the same record."""
    folder = converted_model("both")
    info = artifacts.read_model_info(folder)
    record = ir_record.read_record(folder, info)
    assert record is not None
    assert ir_record.with_record(info, record) == info
    assert (record.other_answers, record.synthetic) == (0, True)
    assert 0 <= record.largest_difference < 1e-4


def test_bfloat16_needs_a_cpu_and_an_ir(
    converted_model: Callable[[str], Path], colour_model: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """bf16 on a CPU with it, for a model without an IR, on a CPU without it -> openvino, rejected, rejected."""
    monkeypatch.setattr(processors, "has_bfloat16", lambda: True)
    assert choose(converted_model("both"), precision="bf16").engine == "openvino"
    with pytest.raises(UserError, match="SERVE_PRECISION is bf16, which only the openvino engine supports"):
        choose(colour_model("both"), precision="bf16")
    monkeypatch.setattr(processors, "has_bfloat16", lambda: False)
    with pytest.raises(UserError, match="this CPU has no bfloat16 instructions"):
        choose(converted_model("both"), precision="bf16")


def test_gpu_counts_only_for_a_tensorflow_that_uses_it(
    converted_model: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Given a GPU's device file -> openvino beside tensorflow-cpu, tensorflow beside a TensorFlow for GPUs."""
    monkeypatch.setattr(processors, "has_gpu", lambda: True)
    assert choose(converted_model("both")).engine == "openvino"
    monkeypatch.setattr("importlib.metadata.distributions", lambda name: [])
    assert choose(converted_model("both")).engine == "tensorflow"
