"""Lower precisions in the report and in the model card, from a model info that may be hostile."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from image_classifier.evaluation import model_card, precisions
from image_classifier.evaluation.report import provenance
from tests.support import evaluations

GATE = {"images": 1500, "accuracy": 0.9, "accuracy_f32": 0.905, "label_flips": 0.015, "calibration_change": -0.001}
SENTENCE = (
    "accuracy 0.9000 on 1,500 validation images (float32: 0.9050), 1.50 % other predictions, calibration error -0.0010"
)


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"gate": GATE}, {"int8": SENTENCE}),
        ({"left_out": "accuracy falls", "gate": GATE}, {"int8": "left out: accuracy falls"}),
        ({"gate": {**GATE, "images": "many"}}, {}),
        ({"gate": "passed"}, {}),
        ("yes", {}),
    ],
)
def test_figures_or_reason(entry: Any, expected: dict[str, str]) -> None:
    """Given a record, a reason, or nonsense -> the figures, the reason, or nothing."""
    assert precisions.described({"precisions": {"int8": entry}}) == expected


def test_model_without_lower_precision() -> None:
    """Given an older model info, or one of another form -> nothing."""
    assert precisions.described({}) == precisions.described({"precisions": ["int8"]}) == {}


def test_report_and_model_card_have_them() -> None:
    """Given a model info with both precisions -> a fact of the report and a detail of the card for each."""
    found = evaluations.evaluation(Path("data"), 2, images=20)
    info = {"precisions": {"int8": {"gate": GATE}, "bf16": {"left_out": "no such CPU"}}}
    evidence = replace(found.evidence, model_info=info)
    facts = dict(provenance.describe(evidence).facts)
    details = model_card.build(replace(found, evidence=evidence))["additional_information"]["custom_details"]
    assert (facts["In int8"], facts["In bf16"]) == (SENTENCE, "left out: no such CPU")
    assert (details["in int8"], details["in bf16"]) == (SENTENCE, "left out: no such CPU")
