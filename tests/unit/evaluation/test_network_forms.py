"""The networks of an artefact in the report and in the model card, from a model info that may be hostile."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from image_classifier import artifacts
from image_classifier.evaluation import model_card, network_forms
from image_classifier.evaluation.judgement import Evaluation
from image_classifier.evaluation.network_forms import Form
from image_classifier.evaluation.precisions import Judged
from image_classifier.evaluation.report import page
from tests.support import evaluations

GATE = {"images": 1500, "accuracy": 0.9, "accuracy_f32": 0.905, "label_flips": 0.015, "calibration_change": -0.001}
VERIFIED = {"images": 400, "other_answers": 1, "largest_difference": 0.5}
JUDGED = Judged("", 1500, 0.9, 0.905, 0.015, -0.001)
INT8, FLOAT32 = "OpenVINO, int8", "OpenVINO in float32"


def evaluation(info: dict[str, Any], sizes: dict[str, int]) -> Evaluation:
    """Return the evaluation of a model with this model info and these sizes."""
    found = evaluations.evaluation(Path("data"), 2, images=20)
    return replace(found, evidence=replace(found.evidence, model_info=info, sizes=sizes))


def forms(info: dict[str, Any], sizes: dict[str, int] | None = None) -> tuple[Form, ...]:
    """Describe the networks of a model."""
    return network_forms.describe(evaluation(info, sizes or {}).evidence)


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"gate": GATE}, [Form(INT8, None, FLOAT32, 1500, 0.015, None, JUDGED)]),
        (
            {"left_out": "accuracy falls", "gate": {**GATE, "largest_difference": 0.2}},
            [
                Form(
                    INT8,
                    None,
                    FLOAT32,
                    1500,
                    0.015,
                    0.2,
                    replace(JUDGED, left_out="accuracy falls", largest_difference=0.2),
                    "accuracy falls",
                )
            ],
        ),
        (
            {"gate": {**GATE, "fitted": True}},
            [Form(INT8, None, FLOAT32, 1500, 0.015, None, replace(JUDGED, fitted=True))],
        ),
        ({"left_out": "NNCF is missing"}, [Form(INT8, left_out="NNCF is missing")]),
        ({"gate": {**GATE, "images": "many"}}, []),
        ({"gate": {**GATE, "accuracy": float("nan")}}, []),
        ({"gate": "passed"}, []),
        ("yes", []),
    ],
)
def test_figures_or_reason_of_int8(entry: Any, expected: list[Form]) -> None:
    """Given a record, a reason, both, or nonsense -> the figures, the reason, both, or nothing."""
    assert list(forms({"precisions": {"int8": entry}})) == expected


@pytest.mark.parametrize("info", [{}, {"precisions": ["int8"], "openvino": "yes", "verification": {"images": 0}}])
def test_model_without_records(info: dict[str, Any]) -> None:
    """Given an older model info, or one of another form -> the forms that have files, and no comparison."""
    assert forms(info) == ()
    assert forms(info, {"saved_model": 5}) == (Form("SavedModel, float32", 5),)


def test_comparisons_of_the_float32_networks() -> None:
    """Given the records of verification and conversion -> each form's share of other answers, and its reference."""
    found = forms({"verification": VERIFIED, "openvino": VERIFIED}, {"saved_model": 7, "openvino": 9})
    assert found == (
        Form("SavedModel, float32", 7, "the network in training", 400, 0.0025, 0.5),
        Form("OpenVINO, float32", 9, "the SavedModel", 400, 0.0025, 0.5),
    )
    assert forms({"openvino": {"left_out": "too slow"}}) == (Form("OpenVINO, float32", left_out="too slow"),)


def test_sizes_are_those_of_the_folders(tmp_path: Path) -> None:
    """Given a model folder with a SavedModel and an int8 IR -> their bytes, and no entry for what it lacks."""
    for name, count in {"1/saved_model.pb": 10, "1/variables/variables.index": 5, "openvino_int8/model.bin": 3}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(bytes(count))
    assert network_forms.sizes(tmp_path) == {"saved_model": 15, artifacts.OPENVINO_INT8_DIR: 3}


def test_report_and_model_card_have_them() -> None:
    """Given a verified model with int8 and without bf16 -> verdict and figures in the score and in the card."""
    info = {"verification": VERIFIED, "precisions": {"int8": {"gate": GATE}, "bf16": {"left_out": "no such <CPU>"}}}
    found = evaluation(info, {"saved_model": 15_312_000, "openvino_int8": 3_610_000})
    details = model_card.build(found)["additional_information"]["custom_details"]
    assert details["SavedModel, float32"] == (
        "15.3 MB; 0.25 % other answers than the network in training on 400 images, largest difference of a "
        "probability 5e-01"
    )
    assert details[INT8] == (
        "3.6 MB; 1.50 % other answers than OpenVINO in float32 on 1,500 images; passed its gate: accuracy 0.9000 "
        "(float32: 0.9050), calibration error -0.0010"
    )
    assert details["OpenVINO, bf16"] == "left out: no such <CPU>"
    html = page.build(found, thumbnails=False)
    score = html[html.index('id="score"') : html.index('id="mistakes"')]
    for words in ("passed its gate", "3.6 MB", "1,500", "-0.1 points", "no such &lt;CPU&gt;", "float32: 90.5"):
        assert words in score
    assert "refitted on these images" not in score


def test_report_and_model_card_say_that_the_head_saw_the_images_of_the_gate() -> None:
    """The head was refitted on the gate's images -> both say so."""
    found = evaluation({"precisions": {"int8": {"gate": {**GATE, "fitted": True}}}}, {"openvino_int8": 3_610_000})
    details = model_card.build(found)["additional_information"]["custom_details"]
    assert details[INT8].endswith("error -0.0010, on images on which the head was fitted too")
    assert "The head was refitted on these images too" in page.build(found, thumbnails=False)
