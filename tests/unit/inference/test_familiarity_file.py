"""Familiarity of images in a loaded model folder: computed from the features, and its file when it is corrupt."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from image_classifier import PROGRAM, artifacts
from image_classifier.contract.errors import UserError
from image_classifier.evaluation import array_file
from image_classifier.evaluation.familiarity import FamiliarityModel
from image_classifier.inference.predictor import Predictor
from tests.support import tiny_models
from tests.support.tiny_models import TinyModel

GREY, GREEN = 128, (0, 255, 0)


@pytest.fixture
def model(tmp_path: Path) -> TinyModel:
    """A model with features, for which grey images are familiar."""
    found = tiny_models.write(tmp_path / "model", "tiny", features=True)
    tiny_models.write_familiarity(found.folder)
    return found


def pixels(*colours: Any) -> NDArray[np.uint8]:
    """Return an image of the model's size for each colour."""
    return np.stack([np.full((*tiny_models.SIZE, 3), colour, np.uint8) for colour in colours])


def test_familiar_and_unfamiliar_images_differ(model: TinyModel) -> None:
    """Given a grey and a green image -> 1 and 0 in three decimals; without the file -> none."""
    predictor = Predictor.load(model.folder)
    plain = predictor.classify(pixels(GREY, GREEN))
    found = predictor.with_familiarity(plain)
    assert [prediction.familiarity for prediction in found] == [1.0, 0.0]
    assert all(one.probabilities is other.probabilities for one, other in zip(plain, found, strict=True))
    assert predictor.with_familiarity([]) == []
    (model.folder / artifacts.FAMILIARITY_FILE).unlink()
    predictor = Predictor.load(model.folder)
    predictor.warm_up()
    assert predictor.with_familiarity(plain) == plain


def test_server_of_a_model_without_the_file_imports_nothing_for_it(model: TinyModel) -> None:
    """Given a fresh process that predicts with and without the file -> modules of evaluation only with it."""
    program = (
        "import sys, pathlib\n"
        "from image_classifier.inference.predictor import Predictor\n"
        "Predictor.load(pathlib.Path(sys.argv[1])).warm_up()\n"
        "print(any(name.startswith('image_classifier.evaluation.') for name in sys.modules))"
    )
    imported = []
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", program, model.folder],
            env={"PYTHONPATH": str(PROGRAM)},
            capture_output=True,
            text=True,
            check=True,
        )
        imported.append(done.stdout.strip())
        (model.folder / artifacts.FAMILIARITY_FILE).unlink(missing_ok=True)
    assert imported == ["True", "False"]


def test_a_model_without_features_has_no_familiarity(tmp_path: Path) -> None:
    """Given the file beside a network without features -> loaded, and no familiarity."""
    model = tiny_models.write(tmp_path / "model", "tiny")
    tiny_models.write_familiarity(model.folder)
    predictor = Predictor.load(model.folder)
    predictor.warm_up()
    assert [one.familiarity for one in predictor.with_familiarity(predictor.classify(pixels(GREY)))] == [None]


CHANGES: dict[str, Callable[[FamiliarityModel], dict[str, Any]]] = {
    "missing": lambda model: {name: array for name, array in model.arrays().items() if name != "origin"},
    "flat basis": lambda model: model.arrays() | {"basis": model.basis[:, 0]},
    "short quantiles": lambda model: model.arrays() | {"quantiles": model.quantiles[:-1]},
    "origin without axis": lambda model: model.arrays() | {"origin": np.float32(0)},
    "table of scales": lambda model: model.arrays() | {"scale": np.ones((2, 2))},
    "deep kernel": lambda model: model.arrays() | {"kernel": model.kernel[..., np.newaxis]},
    "not finite": lambda model: replace(model, bias=np.full(3, np.nan, np.float32)).arrays(),
    "nothing": lambda model: {},
}


@pytest.mark.parametrize("change", CHANGES)
def test_corrupt_file_is_rejected_when_loaded(tmp_path: Path, change: str) -> None:
    """Given arrays that are missing, of other shapes, or not finite -> one sentence with file and remedy."""
    model = tiny_models.write(tmp_path / "model", "tiny", features=True)
    arrays = CHANGES[change](tiny_models.write_familiarity(model.folder))
    path = model.folder / artifacts.FAMILIARITY_FILE
    array_file.write(path, arrays)
    with pytest.raises(UserError, match=f"{artifacts.FAMILIARITY_FILE} is corrupt: .* remove this file"):
        Predictor.load(model.folder)


def test_file_that_is_cut_is_rejected_when_loaded(model: TinyModel) -> None:
    """Given the first half of the file -> one sentence."""
    path = model.folder / artifacts.FAMILIARITY_FILE
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UserError, match="is corrupt: File is not a zip file"):
        Predictor.load(model.folder)


def test_file_of_another_model_is_rejected_at_warm_up(model: TinyModel) -> None:
    """Given a file for 7 features beside a network with 6 -> one sentence with both numbers, before any request."""
    found = tiny_models.write_familiarity(model.folder)
    wider = {
        name: np.concatenate([array, array[:1]]) if name in ("origin", "basis", "kernel") else array
        for name, array in found.arrays().items()
    }
    array_file.write(model.folder / artifacts.FAMILIARITY_FILE, wider)
    predictor = Predictor.load(model.folder)
    with pytest.raises(UserError, match="is fitted on 7 features, but the network returns 6"):
        predictor.warm_up()
