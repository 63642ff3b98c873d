"""Which label is whose, and what is assumed of a model whose model info lacks something."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from image_classifier import artifacts
from image_classifier.artifacts import ModelInfo
from image_classifier.contract.errors import UserError
from image_classifier.inference.predictor import Predictor
from tests.unit.inference import colours


@pytest.fixture
def copied_either(either_model: Callable[[str], Path], tmp_path: Path) -> Callable[[], Path]:
    """Return a function that copies the model folder of the engine of this run."""
    return lambda: Path(shutil.copytree(either_model("both"), tmp_path / "model"))


@pytest.fixture
def copied(colour_model: Callable[[str], Path], tmp_path: Path) -> Callable[[str], Path]:
    """Return a function from a form to a copy of its model folder."""
    return lambda form: Path(shutil.copytree(colour_model(form), tmp_path / "model"))


@pytest.mark.parametrize(
    "recorded", [{"binary_mode": True}, {"finetuned": True}, {"binary_mode": True, "finetuned": True}, {}]
)
def test_background_is_a_class_of_binary_mode(copied: Callable[[str], Path], recorded: dict[str, bool]) -> None:
    """One output and the labels background and leaf, whatever a model info records -> both, the first below 0.5."""
    folder = copied("binary")
    artifacts.write_labels(folder, ("background", "leaf"))
    artifacts.write_model_info(folder, ModelInfo(image_size=colours.SIZE, **recorded))  # type: ignore[arg-type]
    predictor = Predictor.load(folder)
    assert predictor.labels == ("background", "leaf")
    red, green = np.zeros((2, *colours.SIZE, 3), np.uint8)
    red[..., 0] = green[..., 1] = 255
    assert [found.predicted_label for found in predictor.classify(np.stack([red, green]))] == ["background", "leaf"]


def test_background_of_a_trained_head_is_never_dropped(copied_either: Callable[[], Path]) -> None:
    """A fine-tuned head of three outputs beside four labels that begin with background -> rejected, none is dropped."""
    folder = copied_either()
    artifacts.write_labels(folder, ("background", *colours.LABELS))
    artifacts.write_model_info(folder, replace(artifacts.read_model_info(folder), finetuned=True))
    with pytest.raises(UserError, match="names 4 classes, but the model returns 3"):
        Predictor.load(folder)


@pytest.mark.parametrize("form", ["both", "called"])
def test_size_of_a_model_without_info_is_its_signatures(
    copied: Callable[[str], Path], halves: NDArray[np.uint8], form: str
) -> None:
    """No model info -> the size that the signature fixes, and a warning that names it, the scaling and the remedy."""
    folder = copied(form)
    (folder / artifacts.MODEL_INFO_FILE).unlink()
    predictor = Predictor.load(folder)
    assert predictor.info.image_size == colours.SIZE
    assert predictor.warning is not None
    for words in (
        "WARNING",
        str(folder),
        "24x32 pixels (from its signature)",
        "normalize (assumed)",
        "--image-size",
    ):
        assert words in predictor.warning
    assert [found.predicted_label for found in predictor.classify(halves)] == list(colours.LABELS)


def test_assumptions_are_warned_about(copied: Callable[[str], Path]) -> None:
    """Given a model info with only scaling or size -> a warning about the other; with both -> no warning."""
    folder = copied("bytes")
    path = folder / artifacts.MODEL_INFO_FILE
    path.write_text('{"pixel_scaling_method": "center"}')
    predictor = Predictor.load(folder)
    assert predictor.warning is not None
    assert "records image_size; using images of 224x224 pixels (assumed)" in predictor.warning
    assert '"pixel_scaling_method": "center"' in predictor.warning
    path.write_text('{"image_size": [24, 32]}')
    assert "records pixel_scaling_method; using pixel_scaling_method normalize" in str(Predictor.load(folder).warning)
    artifacts.write_model_info(folder, ModelInfo(image_size=colours.SIZE))
    assert Predictor.load(folder).warning is None
