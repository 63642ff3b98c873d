"""The model that a local job starts from: the one that was typed."""

from pathlib import Path

import pytest

from image_classifier.contract.errors import UserError
from image_classifier.model_hub import catalogue
from image_classifier.runners import chosen_model
from image_classifier.runners.chosen_model import ChosenModel

LITE0 = catalogue.find("lite0").model_id
OTHER = "tensorflow-ic-imagenet-mobilenet-v2-100-224-classification-4"


def test_default_is_said() -> None:
    """Given nothing -> EfficientNet-Lite0, with a line that says so."""
    found = chosen_model.choose(None, {})
    assert (found.model_id, found.note) == (LITE0, "No --model given; using EfficientNet-Lite0.")


@pytest.mark.parametrize(
    ("named", "settings"),
    [
        ("lite0", {}),
        ("LITE0", {}),
        (LITE0, {}),
        (None, {"model_id": "lite0"}),
        ("lite0", {"model_id": LITE0}),
        (None, {"model-id": LITE0}),
    ],
)
def test_names_of_one_model_mean_that_model(named: str | None, settings: dict[str, str]) -> None:
    """Given an id, a short name, in any case, as option or hyperparameter, or both alike -> that model, no note."""
    assert chosen_model.choose(named, settings) == ChosenModel(model_id=LITE0)


def test_another_model_id_is_that_model() -> None:
    """Given model_id of another model and no --model -> that model, not the default."""
    assert chosen_model.choose(None, {"model_id": OTHER}) == ChosenModel(model_id=OTHER)


def test_path_is_taken_as_it_is(tmp_path: Path) -> None:
    """Given a folder -> it, whatever its name."""
    assert chosen_model.choose(str(tmp_path), {}) == ChosenModel(path=tmp_path)


def test_address_is_left_to_the_job() -> None:
    """Given model_uri alone -> neither path nor id: the job fetches it."""
    assert chosen_model.choose(None, {"model_uri": "s3://bucket/model.tar.gz"}) == ChosenModel()


@pytest.mark.parametrize(
    ("named", "settings", "message"),
    [
        ("lite0", {"model_id": OTHER}, "name different models"),
        ("lite0", {"model_uri": "s3://b/m.tar.gz"}, "both name a model"),
        (None, {"model_uri": "s3://b/m.tar.gz", "model_id": OTHER}, "both name a model"),
        ("lite9", {}, "neither a file or folder that exists, nor a model of the catalogue.*Did you mean"),
        ("absent/model.tar.gz", {}, "neither a file or folder that exists"),
        (None, {"model_id": "lite9"}, "Did you mean"),
        ("HERE", {"model_id": OTHER}, "is a file or folder, and model_id="),
    ],
)
def test_contradictions_are_errors(tmp_path: Path, named: str | None, settings: dict[str, str], message: str) -> None:
    """Given two models, or an unknown name -> one sentence, and nothing is trained."""
    with pytest.raises(UserError, match=message):
        chosen_model.choose(str(tmp_path) if named == "HERE" else named, settings)
