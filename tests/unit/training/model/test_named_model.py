"""A model named by model_id and a model that the job got are one model, or the job does not start."""

import re

import pytest

from image_classifier.artifacts import ModelInfo
from image_classifier.contract.errors import UserError
from image_classifier.training.model import named_model

LITE0 = "tensorflow-ic-efficientnet-lite0-classification-2"


@pytest.mark.parametrize(
    ("info", "model_id"),
    [(LITE0, ""), (None, LITE0), (LITE0, LITE0), ("lite0", LITE0), (LITE0, " Lite0 ")],
)
def test_one_model_under_its_names_is_accepted(info: str | None, model_id: str) -> None:
    """Given no name, an info without one, or two names of one model -> no problem."""
    assert problem(info, model_id) == ""


def test_another_model_is_rejected() -> None:
    """Given a channel with Lite0 and model_id of another model -> one sentence that names both."""
    assert re.match(f"model_id is mobilenetv2-160, .* is {LITE0}", problem(LITE0, "mobilenetv2-160"))


def problem(info: str | None, model_id: str) -> str:
    """Return why a job with a model of this info and this model_id is rejected; empty if it starts."""
    try:
        named_model.reject_another(ModelInfo(model_id=info), model_id)
    except UserError as error:
        return str(error)
    return ""
