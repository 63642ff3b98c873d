"""How the model was made, from its model info."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from image_classifier.contract import parsing
from image_classifier.evaluation.report import provenance
from tests.support import evaluations

EVIDENCE = evaluations.evaluation(Path("data"), 2, images=20).evidence


def described(info: dict[str, Any]) -> provenance.Provenance:
    """Describe a model with a model info."""
    return provenance.describe(replace(EVIDENCE, model_info=info))


def test_given_hyperparameters_alone_are_listed() -> None:
    """Given hyperparameters of all sources -> those that were given are listed, with their values."""
    sources = (parsing.GIVEN, parsing.OUR_DEFAULT, parsing.MODELS_DEFAULT, parsing.CHOSEN)
    info = {
        "hyperparameters": {f"name{index}": index for index in range(4)},
        "hyperparameter_sources": {f"name{index}": source for index, source in enumerate(sources)},
    }
    assert described(info).hyperparameters == (("name0", "0", "given"),)


@pytest.mark.parametrize(
    ("verification", "is_equal", "detail"),
    [
        (
            {"images": 445, "other_answers": 0, "largest_difference": 2.1e-7},
            True,
            "445 of 445 answers equal, largest difference of a probability 2·10⁻⁷",
        ),
        (
            {"images": 10, "other_answers": 1, "largest_difference": 0.5},
            False,
            "9 of 10 answers equal, largest difference of a probability 5·10⁻¹",
        ),
        (
            {"images": 1, "other_answers": 0, "largest_difference": 0.0},
            True,
            "1 of 1 answer equal, largest difference of a probability 0",
        ),
        ({"left_out": "the job was stopped"}, None, "the job was stopped"),
        (
            {"images": float("inf"), "other_answers": 0, "largest_difference": 0.0},
            None,
            "the verification's record is incomplete",
        ),
        (
            {"images": 10**400, "other_answers": 0, "largest_difference": 0.0},
            None,
            "the verification's record is incomplete",
        ),
        ({"images": "many"}, None, "the verification's record is incomplete"),
        ({}, None, "the model info has no verification"),
        ("nonsense", None, "the model info has no verification"),
    ],
)
def test_parity(verification: Any, is_equal: bool | None, detail: str) -> None:
    """Given the record of a verification, or none -> whether the served model answers as the trained one did."""
    assert described({"verification": verification}).parity == provenance.Parity(is_equal, detail)


def test_hostile_model_info_is_shown_as_text() -> None:
    """Given a model info of lists, numbers and very long texts in unexpected places -> no error, and bounded texts."""
    info = {
        "model_id": ["a"] * 10_000,
        "image_size": "large",
        "versions": [1, 2],
        "recipe": 3,
        "data": None,
        "hyperparameters": {"a": {"b": "c" * 10_000}},
        "metrics": {"parameters": "many"},
        "calibration": {"temperature": 10**400},
        "openvino": {"images": 10**400, "other_answers": 10**400, "largest_difference": 0.1},
    }
    found = described(info)
    assert len(found.name) < 400
    assert all(len(value) < 400 for _, value in found.facts)
    assert len(found.hyperparameters[0][1]) < 400


def test_model_without_info_has_a_name_and_its_data() -> None:
    """Given an empty model info, as of a foreign artefact -> a general name, and the judged images are described."""
    found = described({})
    assert found.name == "Image classifier"
    assert ("Classes", "2") in found.facts
    assert found.hyperparameters == ()


def test_regularisation_that_is_no_number_is_left_out() -> None:
    """Given a strength beyond every float, or not finite -> no fact about it; given a number -> as a number."""
    for strength, shown in ((10**400, None), (float("nan"), None), (True, None), (0.3, "C = 0.3, by cross-validation")):
        assert dict(described({"recipe": {"head": {"strength": strength}}}).facts).get("Regularisation") == shown


def test_names_of_folders_keep_their_capitals() -> None:
    """Given a folder with capitals -> its name as it is, with a capital in front."""
    judged = replace(EVIDENCE.judged, name="myIMAGES")
    facts = dict(provenance.describe(replace(EVIDENCE, judged=judged)).facts)
    assert "MyIMAGES data" in facts
