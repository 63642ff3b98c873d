"""The record of lower precisions in the model info: round trip, reasons, staleness and damage."""

from dataclasses import replace
from pathlib import Path

import pytest

from image_classifier import artifact_checksums, artifacts
from image_classifier.artifacts import ModelInfo
from image_classifier.contract.errors import UserError
from image_classifier.inference.openvino_model import precision_record
from image_classifier.inference.openvino_model.ir_record import Record
from image_classifier.inference.openvino_model.precision_record import BF16, INT8, Gate, Gated, Quantised

GATE = Gate(
    images=200,
    accuracy_f32=0.9,
    accuracy=0.895,
    drop_bound=0.015,
    label_flips=0.01,
    calibration_change=0.002,
    largest_difference=0.1,
    passed=True,
    failed_on=(),
)
QUANTISED = Quantised(
    f32_sha256="f",
    gate=GATE,
    sha256="q",
    tool="nncf 3.4.0",
    steps=("fast bias correction",),
    statistics_images=300,
    seconds=1.5,
    head_images=128,
    whole_range=True,
)
FLOAT32 = Record(
    sha256="f",
    network_sha256="n",
    version="2026.4",
    images=100,
    synthetic=False,
    largest_difference=0.0,
    other_answers=0,
    close_answers=0,
    seconds=1.0,
)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model folder with the files of an int8 IR."""
    folder = tmp_path / "model"
    (folder / artifacts.OPENVINO_INT8_DIR).mkdir(parents=True)
    for name in artifacts.OPENVINO_FILES:
        (folder / artifacts.OPENVINO_INT8_DIR / name).write_bytes(name.encode())
    return folder


def written(model: Path, info: ModelInfo) -> ModelInfo:
    """Write a model info, and read it again."""
    artifacts.write_model_info(model, info)
    return artifacts.read_model_info(model)


def test_records_are_read_as_they_were_written(model: Path) -> None:
    """Records of int8 and bf16 beside a foreign entry -> all three are the same in the file."""
    info = precision_record.with_record(ModelInfo(extra={"mine": 1}), INT8, QUANTISED)
    fitted = Gated(f32_sha256="f", gate=replace(GATE, fitted=True))
    info = written(model, precision_record.with_record(info, BF16, fitted))
    assert precision_record.read_int8(model, info) == QUANTISED
    assert precision_record.read_bf16(model, info) == fitted
    assert (info.extra["mine"], precision_record.left_out(info, INT8)) == (1, None)


def test_record_of_an_earlier_version_is_read(model: Path) -> None:
    """A record without the later fields -> half of the range, float32's last layer, a head that saw no such image."""
    info = precision_record.with_record(ModelInfo(), INT8, QUANTISED)
    del info.extra["precisions"]["int8"]["gate"]["fitted"]
    for later in ("head_images", "whole_range"):
        del info.extra["precisions"]["int8"][later]
    assert precision_record.read_int8(model, info) == replace(QUANTISED, head_images=0, whole_range=False)


def test_a_reason_stands_in_for_a_record_and_keeps_the_figures(model: Path) -> None:
    """A failed gate -> no record, but the reason and the figures of the gate."""
    failed = replace(GATE, passed=False, failed_on=("accuracy",))
    info = written(model, precision_record.with_reason(ModelInfo(), INT8, "accuracy falls", failed))
    assert precision_record.read_int8(model, info) is None
    assert precision_record.left_out(info, INT8) == "accuracy falls"
    assert info.extra["precisions"]["int8"]["gate"]["failed_on"] == ["accuracy"]


def test_without_a_file_or_an_entry_there_is_no_record(model: Path) -> None:
    """A model info without an entry, with one of another type, or without the files -> no record, and no error."""
    assert precision_record.read_int8(model, ModelInfo()) is None
    assert precision_record.read_bf16(model, ModelInfo(extra={"precisions": "no mapping"})) is None
    info = precision_record.with_record(ModelInfo(), INT8, QUANTISED)
    assert precision_record.read_int8(model / "elsewhere", info) is None


def test_removing_one_precision_keeps_the_other() -> None:
    """One of two entries is removed -> the other stays; the last one is removed -> the key goes too."""
    info = precision_record.with_record(ModelInfo(), INT8, QUANTISED)
    both = precision_record.with_reason(info, BF16, "no such CPU")
    assert set(precision_record.without(both, INT8).extra["precisions"]) == {BF16}
    assert precision_record.without(info, INT8).extra == {}


def test_a_record_of_another_float32_ir_is_stale() -> None:
    """The float32 IR that was measured against, another one, none -> valid, stale, stale."""
    assert not precision_record.is_stale(QUANTISED, FLOAT32)
    assert precision_record.is_stale(QUANTISED, replace(FLOAT32, sha256="other"))
    assert precision_record.is_stale(QUANTISED, None)


@pytest.mark.parametrize("lost", ["sha256", "gate"])
def test_an_invalid_record_is_an_error_with_a_remedy(model: Path, lost: str) -> None:
    """A record without its digest or its gate -> an error that names it and the command that writes it again."""
    info = precision_record.with_record(ModelInfo(), INT8, QUANTISED)
    del info.extra["precisions"]["int8"][lost]
    with pytest.raises(UserError, match=r"precisions\.int8 .* invalid.*convert-model .* --quantize"):
        precision_record.read_int8(model, info)


def test_damage_of_the_files_is_found(model: Path) -> None:
    """A changed file and a missing one -> one sentence each that says which of both it is."""
    intact = replace(QUANTISED, sha256=artifact_checksums.folder_sha256(precision_record.folder_of(model)))
    precision_record.check_undamaged(model, intact)
    (precision_record.folder_of(model) / "model.bin").write_bytes(b"other")
    with pytest.raises(UserError, match=r"int8 OpenVINO IR .* is corrupt: it has sha256"):
        precision_record.check_undamaged(model, intact)
    (precision_record.folder_of(model) / "model.bin").unlink()
    with pytest.raises(UserError, match=r"is corrupt: it lacks model\.bin"):
        precision_record.check_undamaged(model, intact)
