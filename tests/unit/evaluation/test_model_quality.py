import json
from typing import Any

import jsonschema
import numpy as np
import pytest
from sklearn import metrics

from image_classifier.evaluation import model_quality
from image_classifier.evaluation.evidence import Evidence, Split
from tests.support import schemas
from tests.unit.evaluation.labelled import answers_of, calibrated


@pytest.mark.parametrize("classes", [2, 3, 150])
@pytest.mark.parametrize("images", [1, 199, 200, 3000])
def test_the_file_follows_the_documented_schema(classes: int, images: int) -> None:
    """Few and many images and classes -> valid, also as strict JSON."""
    found = _build(calibrated(images, classes), classes)
    schemas.validate(found, "model_quality")
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_a_file_with_another_form_fails_the_schema() -> None:
    """A metric as a bare number, a missing one, an unknown one -> the schema rejects each."""
    for change in ({"accuracy": 0.9}, {"weighted_f1": None}, {"top_5": {"value": 1, "standard_deviation": "NaN"}}):
        found = _build(calibrated(50, 3), 3)
        found["multiclass_classification_metrics"].update(change)
        with pytest.raises(jsonschema.ValidationError):
            schemas.validate(found, "model_quality")


def test_fewer_than_200_images_have_no_standard_deviations() -> None:
    """199 images -> the string NaN in every metric; 200 -> small numbers."""
    few, enough = (_metrics(calibrated(images, 3), 3) for images in (199, 200))
    assert {each["standard_deviation"] for each in _objects(few)} == {"NaN"}
    assert all(0 <= each["standard_deviation"] < 0.1 for each in _objects(enough))
    assert enough["accuracy"]["standard_deviation"] > 0


def test_multiclass_metrics_agree_with_scikit_learn() -> None:
    """1,000 images of three classes -> scikit-learn's weighted averages, and the matrix by true and predicted class."""
    split = calibrated(1000, 3)
    found = _metrics(split, 3)
    truth, answers = split.labels, split.predicted
    assert found["accuracy"]["value"] == pytest.approx(metrics.accuracy_score(truth, answers))
    assert found["weighted_precision"]["value"] == pytest.approx(
        metrics.precision_score(truth, answers, average="weighted")
    )
    assert found["weighted_f0_5"]["value"] == pytest.approx(
        metrics.fbeta_score(truth, answers, beta=0.5, average="weighted")
    )
    assert found["confusion_matrix"]["class 0"]["class 1"] == int(((truth == 0) & (answers == 1)).sum())
    assert found["confusion_matrix"]["class 1"]["class 0"] == int(((truth == 1) & (answers == 0)).sum())


@pytest.mark.parametrize("images", [1, 5, 400])
def test_binary_metrics_agree_with_scikit_learn(images: int) -> None:
    """Few and many images of two classes -> scikit-learn's precision, recall and F of the second class, and its AUC."""
    split = calibrated(images, 2)
    truth, answers, found = split.labels, split.predicted, _metrics(split, 2)
    assert split.probabilities is not None
    expected = {
        "precision": metrics.precision_score(truth, answers, zero_division=0),
        "recall": metrics.recall_score(truth, answers, zero_division=0),
        **{
            name: metrics.fbeta_score(truth, answers, beta=beta, zero_division=0)
            for name, beta in {"f0_5": 0.5, "f1": 1, "f2": 2}.items()
        },
    }
    if len(set(truth.tolist())) == 2:
        expected["auc"] = metrics.roc_auc_score(truth, split.probabilities[:, 1])
    assert {name: found[name]["value"] for name in expected} == pytest.approx(expected)


def test_the_best_constant_classifier_answers_the_most_frequent_class() -> None:
    """A class with 6 of 10 images -> accuracy and recall 0.6, precision 0.36."""
    found = _metrics(answers_of([0, 0, 1, 1, 1, 1, 1, 1, 2, 2], [0] * 10, 3), 3)
    values = {name: found[f"{name}_best_constant_classifier"]["value"] for name in ("accuracy", "weighted_recall")}
    assert values == pytest.approx({"accuracy": 0.6, "weighted_recall": 0.6})
    assert found["weighted_precision_best_constant_classifier"]["value"] == pytest.approx(0.36)
    assert found["weighted_f1_best_constant_classifier"]["value"] == pytest.approx(0.6 * 0.75)


def test_binary_metrics_are_those_of_the_documentations_example() -> None:
    """The documentation's four images -> its recall, precision, rates and F scores, of the second class."""
    found = _metrics(answers_of([0, 0, 0, 1], [0, 1, 1, 1], 2), 2)
    expected = {
        "recall": 1.0,
        "precision": 1 / 3,
        "accuracy": 0.5,
        "recall_best_constant_classifier": 1.0,
        "precision_best_constant_classifier": 0.25,
        "true_positive_rate": 1.0,
        "true_negative_rate": 1 / 3,
        "false_positive_rate": 2 / 3,
        "false_negative_rate": 0.0,
        "f0_5": 0.3846153846153846,
        "f1": 0.5,
        "f2": 0.7142857142857143,
        "f0_5_best_constant_classifier": 0.29411764705882354,
        "f1_best_constant_classifier": 0.4,
        "f2_best_constant_classifier": 0.625,
    }
    assert {name: found[name]["value"] for name in expected} == pytest.approx(expected)
    assert found["confusion_matrix"] == {
        "class 0": {"class 0": 1, "class 1": 2},
        "class 1": {"class 0": 0, "class 1": 1},
    }
    assert found["accuracy_best_constant_classifier"]["value"] == 0.75


def test_curves_of_many_images_are_short_and_have_their_area() -> None:
    """50,000 images of two classes -> at most 1,000 points, whose area is the AUC."""
    found = _metrics(calibrated(50_000, 2), 2)
    roc, curve = found["receiver_operating_characteristic_curve"], found["precision_recall_curve"]
    assert len(roc["false_positive_rates"]) == len(roc["true_positive_rates"]) <= model_quality.MAX_POINTS
    area = np.trapezoid(roc["true_positive_rates"], roc["false_positive_rates"])
    assert area == pytest.approx(found["auc"]["value"], abs=1e-3)
    assert (curve["recalls"][0], curve["recalls"][-1]) == (0, 1)


def test_images_of_one_class_alone_have_no_curves() -> None:
    """No image of the positive class -> valid, with empty curves and the string NaN."""
    split = answers_of([0, 0, 0], [0, 1, 0], 2)
    schemas.validate(_build(split, 2), "model_quality")
    found = _metrics(split, 2)
    assert (found["auc"]["value"], found["true_positive_rate"]["value"]) == ("NaN", "NaN")
    assert found["precision_recall_curve"] == {"precisions": [], "recalls": []}


def test_a_large_matrix_leaves_empty_cells_out() -> None:
    """150 classes -> no cell of 0, all images in the others; 100 classes -> all cells."""
    large, small = (_metrics(calibrated(500, classes), classes)["confusion_matrix"] for classes in (150, 100))
    cells = [count for row in large.values() for count in row.values()]
    assert min(cells) > 0
    assert sum(cells) == 500
    assert [len(row) for row in small.values()] == [100] * 100


def _build(split: Split, classes: int) -> dict[str, Any]:
    return model_quality.build(Evidence(tuple(f"class {index}" for index in range(classes)), split))


def _metrics(split: Split, classes: int) -> dict[str, Any]:
    (found,) = _build(split, classes).values()
    assert isinstance(found, dict)
    return found


def _objects(found: dict[str, Any]) -> list[dict[str, Any]]:
    return [each for each in found.values() if "standard_deviation" in each]
