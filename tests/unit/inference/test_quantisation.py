"""The ladder of quantisation: planted methods in the place of NNCF's, judged by the real gate on a real engine."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import openvino
import pytest
from openvino import opset13 as operations

from image_classifier import artifact_checksums
from image_classifier.contract.errors import UserError
from image_classifier.inference.openvino_model import ir_record, nncf_network, precision_record, quantisation
from image_classifier.inference.openvino_model.nncf_network import FAST, FULL, HISTOGRAM, NotQuantised
from image_classifier.inference.openvino_model.quantisation import QuantisationImages, TimeLimits
from image_classifier.resources import processors
from tests.unit.inference import convolutions, planted_methods
from tests.unit.inference.planted_methods import Method, fails, good, slow

PATIENT, HASTY = TimeLimits(another_rung=1e6), TimeLimits(another_rung=0.0)


def bad(source: Path, partial: Path) -> None:
    """Write a network that takes red for green where they are close: it answers like one whose ranges are too small."""
    model = openvino.Core().read_model(source / "model.xml")
    head = next(operation for operation in model.get_ops() if operation.get_friendly_name() == "head")
    coarse = operations.multiply(operations.floor(head), np.array([[1, 1.2, 1]], np.float32))
    for target in model.output("probabilities").get_node().input_value(0).get_node().inputs():
        target.replace_source_output(coarse.output(0))
    partial.mkdir(exist_ok=True)
    openvino.save_model(model, partial / "model.xml", compress_to_fp16=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model folder with a float32 IR."""
    return convolutions.write(tmp_path / "model")


@pytest.fixture
def plant(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Return a function that puts methods in the place of NNCF's, by step; it returns the list of those that ran."""

    def planted(methods: dict[str, Method]) -> list[str]:
        return planted_methods.plant(monkeypatch, methods).steps

    return planted


def images(count: int = 200) -> QuantisationImages:
    """Return images for the ranges and for the gate."""
    pixels, labels = convolutions.images(count)
    return QuantisationImages(convolutions.images(4, seed=1)[0], pixels, labels)


def quantise(folder: Path, limits: TimeLimits = PATIENT, count: int = 200) -> precision_record.Quantised:
    """Quantise a model folder."""
    return quantisation.quantise(folder, convolutions.info_of(folder), images(count), limits)


def content(folder: Path) -> list[str]:
    """Return the names of all files."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_first_method_that_passes_is_installed(folder: Path, plant: Callable[..., list[str]]) -> None:
    """A good first method -> its IR with figures and digests, and no other method is tried."""
    ran = plant({FAST: good})
    record = quantise(folder)
    assert (ran, record.steps, record.gate.passed) == ([FAST], (FAST,), True)
    assert record.gate.accuracy == record.gate.accuracy_f32 > 0.9
    assert record.sha256 == artifact_checksums.folder_sha256(folder / "openvino_int8")
    assert record.f32_sha256 == artifact_checksums.folder_sha256(folder / "openvino")
    assert record.tool.startswith("nncf 3.")
    assert not (folder / ".openvino_int8.partial").exists()


@pytest.mark.parametrize(("flags", "whole"), [("avx2", False), ("avx2 avx512_vnni", True), ("asimd i8mm", True)])
def test_whole_range_of_weights_is_for_cpus_that_do_not_saturate(
    folder: Path, monkeypatch: pytest.MonkeyPatch, flags: str, whole: bool
) -> None:
    """A CPU with and without instructions for int8 -> which range NNCF uses, and the record says it to the server."""
    monkeypatch.setattr(processors, "features", lambda *_: frozenset(flags.split()))
    ran = planted_methods.plant(monkeypatch, {FAST: good})
    assert quantise(folder).whole_range == whole
    assert ran.whole_range == [whole]


def test_planted_bad_quantisation_is_rejected(folder: Path, plant: Callable[..., list[str]]) -> None:
    """Every method answers otherwise than float32 -> none is installed, and the reason has the figures of each."""
    before = content(folder)
    ran = plant(dict.fromkeys(nncf_network.STEPS, bad))
    with pytest.raises(NotQuantised, match=rf"with {FAST} accuracy falls from 0\.9.* with accuracy control ") as found:
        quantise(folder)
    assert ran == list(nncf_network.STEPS)
    assert found.value.gate is not None
    assert "label_flips" in found.value.gate.failed_on
    assert content(folder) == before


def test_next_method_is_tried_after_a_failure(folder: Path, plant: Callable[..., list[str]]) -> None:
    """One method fails the gate and one crashes -> the third is installed, and all three are recorded."""
    plant({FAST: bad, FULL: fails, HISTOGRAM: good})
    assert quantise(folder).steps == (FAST, FULL, HISTOGRAM)


def test_without_time_the_first_method_alone_is_tried(folder: Path, plant: Callable[..., list[str]]) -> None:
    """A failed first method, and no time for another -> the reason says both."""
    ran = plant({FAST: bad})
    with pytest.raises(NotQuantised, match=r"accuracy falls .*; no time is left for another method"):
        quantise(folder, HASTY)
    assert ran == [FAST]


def test_method_that_takes_too_long_ends_the_ladder(folder: Path, plant: Callable[..., list[str]]) -> None:
    """The time limit passes within a method -> no other one, one reason, nothing left behind."""
    before, ran = content(folder), plant({FAST: slow})
    with pytest.raises(NotQuantised, match=rf"^{FAST} takes too long$"):
        quantise(folder)
    assert (ran, content(folder)) == ([FAST], before)


def test_199_images_start_nothing(folder: Path, plant: Callable[..., list[str]]) -> None:
    """Too few images of validation -> the number that it takes, before any method."""
    ran = plant({})
    with pytest.raises(NotQuantised, match="199 validation images are fewer than the 200 that its gate takes"):
        quantise(folder, count=199)
    assert ran == []


def test_model_without_float32_ir(folder: Path, plant: Callable[..., list[str]]) -> None:
    """There is nothing to quantise -> the reason."""
    plant({})
    shutil.rmtree(folder / "openvino")
    with pytest.raises(NotQuantised, match="there is no float32 OpenVINO IR"):
        quantise(folder)


def test_corrupt_float32_ir_is_an_error(folder: Path, plant: Callable[..., list[str]]) -> None:
    """The float32 IR changed after it was verified -> one sentence with the remedy."""
    plant({})
    (folder / "openvino" / "model.bin").write_bytes(b"other")
    with pytest.raises(UserError, match=r"The OpenVINO IR in .* is corrupt"):
        quantise(folder)


def test_failed_gate_replaces_an_earlier_record_and_its_files(folder: Path, plant: Callable[..., list[str]]) -> None:
    """A model with int8 is quantised again and fails -> the reason and the figures, and the old files are gone."""
    plant({FAST: good})
    info = quantisation.with_result(folder, convolutions.info_of(folder), images(), HASTY)
    assert precision_record.read_int8(folder, info)
    plant({FAST: bad})
    info = quantisation.with_result(folder, info, images(), HASTY)
    assert precision_record.read_int8(folder, info) is None
    assert str(precision_record.left_out(info, "int8")).startswith(f"with {FAST} accuracy falls")
    assert info.extra["precisions"]["int8"]["gate"]["passed"] is False
    assert not (folder / "openvino_int8").exists()


def test_head_is_what_the_probabilities_are_computed_by(folder: Path) -> None:
    """A network with features beside -> the matrix product of its head alone."""
    model = openvino.Core().read_model(ir_record.folder_of(folder) / "model.xml")
    assert nncf_network.head_operations(model) == ["head"]


@pytest.mark.parametrize(("count", "expected"), [(0, 0), (4, 0), (5, 2), (9, 2)])
def test_first_convolutions_stay_in_float32(count: int, expected: int) -> None:
    """Networks of so many convolutions -> the two next to the pixels; none of a network that has few."""
    pixels = operations.parameter([1, 3, 8, 8], openvino.Type.f32)
    layers = pixels
    for index in range(count):
        kernel = np.ones((3, 1, 1, 1, 1) if index % 2 else (3, 3, 1, 1), np.float32)
        convolve = operations.group_convolution if index % 2 else operations.convolution
        layers = convolve(layers, kernel, [1, 1], [0, 0], [0, 0], [1, 1])
        layers.set_friendly_name(f"layer {index}")
    model = openvino.Model([operations.relu(layers)], [pixels], "chain")
    assert nncf_network.first_convolutions(model) == [f"layer {index}" for index in range(expected)]


@pytest.mark.every
@pytest.mark.parametrize("binary", [False, True])
def test_nncf_quantises_what_serving_needs(tmp_path: Path, binary: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Softmax and sigmoid heads -> int8 convolutions, a float head, features close to float32's; 64 images for it."""
    folder = convolutions.write(tmp_path / "model", binary)
    pixels, labels = convolutions.images(300, 2 if binary else 3)
    found = QuantisationImages(convolutions.images(90, 2 if binary else 3, seed=1)[0], pixels, labels)
    asked: set[int] = set()
    give = nncf_network.Network._one

    def one(network: nncf_network.Network, row: int) -> nncf_network.Pixels:
        asked.add(row)
        return give(network, row)

    monkeypatch.setattr(nncf_network.Network, "_one", one)
    record = quantisation.quantise(folder, convolutions.info_of(folder), found, PATIENT)
    assert record.gate.passed
    assert len(asked) == record.statistics_images == nncf_network.RANGE_IMAGES
    assert 0 in asked
    assert max(asked) > 90 - 3
    model = openvino.Core().read_model(folder / "openvino_int8" / "model.xml")
    weights = [operation for operation in model.get_ops() if operation.get_type_name() == "Constant"]
    assert any(str(constant.get_element_type()) == "<Type: 'int8_t'>" for constant in weights)
    head = next(operation for operation in model.get_ops() if operation.get_friendly_name() == "head")
    sources = [head.input_value(index).get_node().get_type_name() for index in (0, 1)]
    assert sources == ["ReduceMean", "Constant"]
    assert model.inputs[0].partial_shape[0].is_dynamic


@pytest.mark.every
@pytest.mark.parametrize("step", nncf_network.STEPS)
def test_each_method_of_nncf_writes_an_ir(folder: Path, step: str) -> None:
    """Each rung alone -> an IR whose answers differ little from float32's."""
    found = replace(images(400), statistics=convolutions.images(60, seed=1)[0])
    record = quantisation.quantise(folder, convolutions.info_of(folder), found, PATIENT, [step])
    assert (record.steps, record.gate.passed) == ((step,), True)
