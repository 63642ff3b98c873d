"""bf16 behind the gate of lower precisions; where this CPU lacks it, an engine that answers otherwise stands in."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from image_classifier import artifacts
from image_classifier.inference.engines import openvino
from image_classifier.inference.openvino_model import bf16, precision_record, quantisation
from image_classifier.inference.openvino_model.quantisation import QuantisationImages
from image_classifier.resources import processors
from tests.support import tiny_models

COUNT = 240


@dataclass(frozen=True)
class RoundedEngine:
    """An engine whose probabilities are rounded to eight bits of mantissa, and of which some are of other classes."""

    engine: Any
    flipped: int
    precision: str = "bf16"

    def probabilities(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the probabilities of the float32 engine, changed."""
        found = self.engine.probabilities(pixels).astype(np.float32)
        found = (found.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)
        # Of each batch of 20.
        found[: self.flipped] = np.roll(found[: self.flipped], 1, axis=1)
        return np.asarray(found)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A classifier of colours."""
    return tiny_models.write(tmp_path / "model", "a").folder


@pytest.fixture
def images() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Clearly red, green and blue images, and their classes."""
    labels = np.arange(COUNT) % 3
    pixels = np.full((COUNT, *tiny_models.SIZE, 3), 20, np.uint8)
    pixels[np.arange(COUNT), :, :, labels] = 220
    return pixels, labels


def stand_in(monkeypatch: pytest.MonkeyPatch, flipped: int, precision: str = "bf16") -> None:
    """Let this CPU have bfloat16, and its engine in bf16 be a stand-in."""
    real = openvino.load_engine

    def load(folder: Path, info: Any, wanted: str = "f32", *rest: Any, **options: Any) -> Any:
        engine = real(folder, info, "f32", *rest, **options)
        return RoundedEngine(engine, flipped, precision) if wanted == "bf16" else engine

    monkeypatch.setattr(processors, "has_bfloat16", lambda: True)
    monkeypatch.setattr(openvino, "load_engine", load)


def judged(folder: Path, images: tuple[NDArray[np.uint8], NDArray[np.int64]]) -> Any:
    """Judge and write the result; return the model info that is read back."""
    pixels, labels = images
    given = QuantisationImages(pixels[:1], pixels, labels)
    info = bf16.with_result(folder, artifacts.read_model_info(folder), given)
    artifacts.write_model_info(folder, info)
    return artifacts.read_model_info(folder)


def test_small_differences_pass(model: Path, images: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """bf16 that rounds -> recorded with its figures and the IR that it was judged with."""
    stand_in(monkeypatch, flipped=0)
    info = judged(model, images)
    record = precision_record.read_bf16(model, info)
    assert record is not None
    assert record.gate.passed
    assert (record.gate.images, record.gate.label_flips) == (COUNT, 0)
    assert 0 < record.gate.largest_difference < 0.01
    assert record.f32_sha256 == info.extra["openvino"]["sha256"]


def test_given_answers_are_not_computed_again(model: Path, images: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers of float32 from the gate of int8 -> the same figures, and float32 is not loaded again."""
    stand_in(monkeypatch, flipped=1)
    pixels, labels = images
    info = artifacts.read_model_info(model)
    answers = quantisation.float32_answers(model, info, pixels)
    given = QuantisationImages(pixels[:1], pixels, labels, lambda: answers)
    stand_in_load, wanted = openvino.load_engine, []

    def load(folder: Path, found: Any, precision: str = "f32", **options: Any) -> Any:
        wanted.append(precision)
        return stand_in_load(folder, found, precision, **options)

    monkeypatch.setattr(openvino, "load_engine", load)
    entry = bf16.with_result(model, info, given).extra["precisions"]["bf16"]
    assert wanted == ["bf16"]
    assert json.loads(json.dumps(entry)) == judged(model, images).extra["precisions"]["bf16"]


def test_other_predictions_do_not_pass(model: Path, images: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """bf16 that answers one image of twenty otherwise -> left out, with the reason and the figures."""
    stand_in(monkeypatch, flipped=1)
    info = judged(model, images)
    assert precision_record.read_bf16(model, info) is None
    assert "5.00 % of the predictions differ" in (precision_record.left_out(info, "bf16") or "")
    assert info.extra["precisions"]["bf16"]["gate"]["accuracy"] == 0.95


def test_float32_in_its_place_is_not_judged(model: Path, images: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenVINO computes in float32 although bf16 was asked for -> left out instead of passing with no difference."""
    stand_in(monkeypatch, flipped=0, precision="f32")
    assert "OpenVINO computes in f32" in (precision_record.left_out(judged(model, images), "bf16") or "")


def test_cpu_without_it_and_few_images_are_reasons(model: Path, images: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A CPU without bfloat16, and 199 images -> left out with each reason."""
    monkeypatch.setattr(processors, "has_bfloat16", lambda: False)
    reason = precision_record.left_out(judged(model, images), "bf16")
    assert reason == "the CPU that would have judged it has no bfloat16 instructions"
    reason = precision_record.left_out(judged(model, tuple(part[:199] for part in images)), "bf16")
    assert reason == "199 validation images are fewer than the 200 that its gate takes"


@pytest.mark.skipif(processors.has_bfloat16(), reason="this CPU computes in bfloat16")
def test_engine_says_when_it_does_not_compute_in_bf16(model: Path) -> None:
    """bf16 asked of OpenVINO on a CPU without it -> the engine says f32, so that no one mistakes it."""
    info = artifacts.read_model_info(model)
    assert openvino.load_engine(model / "openvino", info, "bf16", single_compilation=True).precision == "f32"
