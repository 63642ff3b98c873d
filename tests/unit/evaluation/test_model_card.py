import json
from dataclasses import replace
from typing import Any

import jsonschema
import pytest

from image_classifier.evaluation import calibration, mistakes, model_card, scores
from image_classifier.evaluation.duplicates import Duplicates
from image_classifier.evaluation.evidence import TEST, Evidence, Split
from image_classifier.evaluation.judgement import Evaluation
from image_classifier.evaluation.label_issues import LabelIssue
from image_classifier.evaluation.statistics import Proportion
from tests.support import schemas
from tests.unit.evaluation.labelled import answers_of, calibrated

_INFO = {
    "model_id": "tensorflow-ic-imagenet-mobilenet-v2-100-224-classification-4",
    "licence": "Apache-2.0",
    "hyperparameters": {"epochs": 5, "learning_rate": 0.001},
    "data": {"sha256": "ab" * 32, "classes": {"ant": 30, "bee": 12}},
    "versions": {"numpy": "2.3.5"},
    "metrics": {"accuracy": 0.9, "loss": float("nan"), "recipe": "auto"},
}


@pytest.mark.parametrize("classes", [2, 20, 21, 200, 1000])
def test_the_card_follows_the_documented_schema(classes: int) -> None:
    """Two to a thousand classes with long names -> valid, as strict JSON, and short enough for SageMaker."""
    card = model_card.build(_evaluation(calibrated(400, classes), _INFO, name_length=80))
    schemas.validate(card, "model_card")
    assert len(json.dumps(card, allow_nan=False)) < model_card.MAX_LENGTH


@pytest.mark.parametrize(
    "info",
    [
        {},
        {"data": ["a"], "metrics": 3, "hyperparameters": None, "versions": "1"},
        {"data": {"classes": {"ant": "many"}}, "metrics": {"loss": 10**400, "accuracy": True}},
        {"data": {"classes": {"ant": None, "bee": 10**400}}},
    ],
)
def test_a_model_of_unknown_origin_has_a_valid_card(info: dict[str, Any]) -> None:
    """An empty model info, or another program's; one image -> valid, and what is unknown is called so."""
    card = model_card.build(_evaluation(answers_of([1], [0], 2), info))
    schemas.validate(card, "model_card")
    assert card["additional_information"]["custom_details"]["licence of the pre-trained model"] == "not recorded"
    assert "licence of the pre-trained model is not recorded" in _caveats(card)


@pytest.mark.parametrize(
    "change",
    [
        {"model_overview": {"name": "other"}},
        {"evaluation_details": [{"name": "x" * 64}]},
        {"additional_information": {"custom_details": {"count": 3}}},
    ],
)
def test_a_card_with_another_form_fails_the_schema(change: dict[str, Any]) -> None:
    """An unknown field, a name that is too long, a number as custom detail -> the schema rejects each."""
    with pytest.raises(jsonschema.ValidationError):
        schemas.validate(model_card.build(_evaluation(calibrated(50, 3), _INFO)) | change, "model_card")


def test_the_card_holds_score_training_and_data() -> None:
    """A model with everything recorded -> accuracy with interval, hyperparameters, metrics, data, matrix by label."""
    evaluation = _evaluation(calibrated(400, 2), _INFO)
    card = model_card.build(evaluation)
    details = card["evaluation_details"][0]
    metrics = {each["name"]: each for group in details["metric_groups"] for each in group["metric_data"]}
    assert metrics["accuracy"]["value"] == evaluation.score.accuracy.value
    assert metrics["accuracy"]["notes"].startswith("95 % interval 0.")
    assert metrics["confusion_matrix"]["value"] == evaluation.mistakes.matrix.tolist()
    training = card["training_details"]
    assert training["training_observations"] == "42 training images of 2 classes."
    assert training["training_job_details"]["user_provided_hyper_parameters"][0] == {"name": "epochs", "value": "5"}
    assert training["training_job_details"]["user_provided_training_metrics"] == [{"name": "accuracy", "value": 0.9}]
    custom = card["additional_information"]["custom_details"]
    assert custom["fingerprint of the training images (SHA-256)"] == "ab" * 32


def test_the_metrics_are_those_of_the_best_epoch() -> None:
    """A history of two epochs, the first the best -> its metrics."""
    evaluation = _evaluation(calibrated(50, 2), _INFO)
    history = [{"val_loss": 0.25}, {"val_loss": 0.5}]
    evaluation = replace(evaluation, evidence=replace(evaluation.evidence, history=history, best_epoch=0))
    details = model_card.build(evaluation)["training_details"]["training_job_details"]
    assert details["user_provided_training_metrics"] == [{"name": "val_loss", "value": 0.25}]


def test_caveats_say_what_was_found() -> None:
    """A leak, a label issue, overconfidence, few validation images -> a sentence about each."""
    evaluation = replace(
        _evaluation(calibrated(150, 4, temperature=4), _INFO),
        duplicates=Duplicates((), (3,), Proportion(140, 149)),
        label_issues=(LabelIssue("validation", 7, 0, 1, 0.1),),
    )
    caveats = _caveats(model_card.build(evaluation))
    for phrase in ("validation images", "150 images", "1 also occur", "contradict: 1", "not calibrated"):
        assert phrase in caveats


def test_nothing_found_leaves_the_general_caveat_alone() -> None:
    """Calibrated test images, enough of them, a known licence -> one sentence."""
    caveats = _caveats(model_card.build(_evaluation(replace(calibrated(1000, 2), name=TEST), _INFO)))
    assert caveats == "The score holds for images like those it was measured on; it says nothing about others."


def _evaluation(split: Split, info: dict[str, Any], name_length: int = 4) -> Evaluation:
    assert split.probabilities is not None
    names = tuple(f"{index:0{name_length}}" for index in range(split.probabilities.shape[1]))
    return Evaluation(
        evidence=Evidence(names, split, model_info=info),
        score=scores.measure(split, names),
        mistakes=mistakes.find(split, len(names)),
        label_issues=(),
        calibration=calibration.measure(split),
    )


def _caveats(card: dict[str, Any]) -> str:
    caveats = card["additional_information"]["caveats_and_recommendations"]
    assert isinstance(caveats, str)
    return caveats


def test_a_class_that_was_not_measured_has_no_bar() -> None:
    """A class without an image, and one that is never answered -> no recall of the one, no precision of the other."""
    split = answers_of([0, 0, 2, 2], [0, 1, 0, 1], 3)
    details = model_card.build(_evaluation(split, _INFO))["evaluation_details"][0]
    charts = {each["name"]: each for group in details["metric_groups"] for each in group["metric_data"]}
    assert (charts["recall"]["x_axis_name"], charts["recall"]["value"]) == (["0000", "0002"], [0.5, 0.0])
    assert (charts["precision"]["x_axis_name"], charts["precision"]["value"]) == (["0000", "0001"], [0.5, 0.0])
