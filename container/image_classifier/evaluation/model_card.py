"""model_card.json: the content of a SageMaker Model Card, to be completed by the owner of the model.

The schema and its limits: https://docs.aws.amazon.com/sagemaker/latest/dg/model-cards.html#model-cards-json-schema
"""

import math
from collections.abc import Mapping
from typing import Any

from image_classifier.contract.names import listed
from image_classifier.evaluation import network_forms, precisions
from image_classifier.evaluation.calibration import Calibration
from image_classifier.evaluation.evidence import VALIDATION, Evidence
from image_classifier.evaluation.judgement import Evaluation
from image_classifier.evaluation.scores import Score
from image_classifier.evaluation.statistics import Interval, Proportion
from image_classifier.evaluation.wording import counted

MAX_LENGTH = 100_000
"""Characters of a model card that SageMaker accepts."""
_LONG, _MEDIUM, _NAME, _METRIC_NAME = 2048, 1024, 63, 255
_MATRIX_SIDE, _BARS, _METRICS, _HYPERPARAMETERS = 20, 100, 50, 100
_LISTED = 20
_UNKNOWN = "not recorded"
_FEW_IMAGES = 200
_CONFIDENCE = "95 % interval"


def build(evaluation: Evaluation) -> dict[str, Any]:
    """Return the content of a model card: all that the job knows, and no statement about what only its owner knows."""
    evidence, score = evaluation.evidence, evaluation.score
    return {
        "model_overview": _overview(evidence),
        "intended_uses": _intended_uses(evidence, score),
        "training_details": _training_details(evidence),
        "evaluation_details": [_evaluation_details(evaluation)],
        "additional_information": {
            "caveats_and_recommendations": _text(" ".join(_caveats(evaluation)), _LONG),
            "custom_details": _custom_details(evidence),
        },
    }


def _overview(evidence: Evidence) -> dict[str, Any]:
    names, backbone = evidence.class_names, evidence.model_info.get("model_id")
    classes, tuned = listed(names, _LISTED), f" Fine-tuned from {backbone}." if backbone else ""
    return {
        "model_description": _text(f"Classifies an image as one of {len(names)} classes: {classes}.{tuned}"),
        "problem_type": "Binary Classification" if len(names) == 2 else "Multiclass Classification",
        "algorithm_type": "Image classification by transfer learning from a TensorFlow Hub model",
    }


def _intended_uses(evidence: Evidence, score: Score) -> dict[str, str]:
    weakest = score.weakest
    return {
        "purpose_of_model": _text(f"Tell images of {len(evidence.class_names)} classes apart.", _LONG),
        "intended_uses": "Images of the kind that it was trained on. Its answer is always one of its classes, also for "
        "an image that shows none of them.",
        "factors_affecting_model_efficiency": _text(
            f"Images that differ from the training images in subject, camera, light or scale. Of the class "
            f"{weakest.name} it recognised the smallest share: {_described(weakest.recall)}.",
            _LONG,
        ),
        "risk_rating": "Unknown",
        "explanations_for_risk_rating": "A training job cannot know what depends on the answers. The owner of the "
        "model rates the risk.",
    }


def _training_details(evidence: Evidence) -> dict[str, Any]:
    metrics = _best_epoch(evidence) or _recorded(evidence, "metrics")
    details = {
        "user_provided_training_metrics": [
            {"name": _text(name, _METRIC_NAME), "value": known}
            for name, value in metrics.items()
            if name and (known := precisions.finite(value)) is not None
        ][:_METRICS],
        "user_provided_hyper_parameters": [
            {"name": _text(name, _METRIC_NAME), "value": _text(str(value), _METRIC_NAME)}
            for name, value in _recorded(evidence, "hyperparameters").items()
            if name and str(value)
        ][:_HYPERPARAMETERS],
    }
    return {
        "objective_function": {
            "function": {"function": "Minimize", "facet": "Loss"},
            "notes": "Cross-entropy of the labels.",
        },
        "training_observations": _text(_data_sentence(evidence)),
        "training_job_details": {name: values for name, values in details.items() if values},
    }


def _best_epoch(evidence: Evidence) -> Mapping[str, float]:
    return evidence.history[evidence.best_epoch] if evidence.history and evidence.best_epoch is not None else {}


def _data_sentence(evidence: Evidence) -> str:
    classes = _recorded(evidence, "data").get("classes")
    counts = [precisions.finite(count) for count in classes.values()] if isinstance(classes, Mapping) else []
    known = [int(count) for count in counts if count is not None]
    if not known or len(known) < len(counts):
        return "The training images are not recorded."
    skipped = f" Unreadable files that were skipped: {len(evidence.skipped)}." if evidence.skipped else ""
    return f"{counted(sum(known), 'training image')} of {counted(len(known), 'class', 'classes')}.{skipped}"


def _evaluation_details(evaluation: Evaluation) -> dict[str, Any]:
    score = evaluation.score
    groups = [{"name": "Score", "metric_data": _score_metrics(score)}]
    if evaluation.calibration:
        groups.append({"name": "Calibration", "metric_data": _calibration_metrics(evaluation.calibration)})
    if charts := _class_metrics(evaluation):
        groups.append({"name": "Classes", "metric_data": charts})
    return {
        "name": _text(f"Evaluation on {score.split} images", _NAME),
        "evaluation_observation": _text(
            f"Accuracy {_described(score.accuracy)}; always answering {score.baseline_class} would reach "
            f"{score.baseline.value:.3f}.",
            _LONG,
        ),
        "datasets": [_text(f"{len(evaluation.evidence.judged)} {score.split} images")],
        "metric_groups": groups,
    }


def _score_metrics(score: Score) -> list[dict[str, Any]]:
    return _numbers(
        ("accuracy", score.accuracy.value, _interval(score.accuracy.interval)),
        ("accuracy_best_constant_classifier", score.baseline.value, f"Always answers {score.baseline_class}"),
        ("macro_f1", score.macro_f1, "Mean of the classes"),
        ("log_loss", score.log_loss, "Nats"),
    )


def _calibration_metrics(calibration: Calibration) -> list[dict[str, Any]]:
    by_chance = f"; perfectly calibrated probabilities show up to {calibration.ece_by_chance:.3f} on as many images"
    return _numbers(
        ("expected_calibration_error", calibration.ece, _interval(calibration.ece_interval) + by_chance),
        ("brier_score", calibration.brier, "Summed over the classes, 0 to 2"),
    )


def _class_metrics(evaluation: Evaluation) -> list[dict[str, Any]]:
    """Charts as far as SageMaker accepts them: a matrix of at most 20 × 20."""
    names = [_text(name, _NAME) for name in evaluation.evidence.class_names]
    charts: list[dict[str, Any]] = []
    if len(names) <= _BARS:
        for name in ("recall", "precision"):
            shares = zip(names, (getattr(each, name) for each in evaluation.score.classes), strict=True)
            # A class without an image has no recall, and one that is never answered no precision: neither is 0.
            known = [(label, share.value) for label, share in shares if share.total]
            if known:
                labels, values = map(list, zip(*known, strict=True))
                charts.append({"name": name, "type": "bar_chart", "value": values, "x_axis_name": labels})
    if len(names) <= _MATRIX_SIDE:
        matrix = {"name": "confusion_matrix", "type": "matrix", "value": evaluation.mistakes.matrix.tolist()}
        charts.append({**matrix, "x_axis_name": names, "y_axis_name": names, "notes": "Columns: answers; rows: labels"})
    return charts


def _numbers(*metrics: tuple[str, float, str]) -> list[dict[str, Any]]:
    return [
        {"name": name, "type": "number", "value": value, "notes": _text(notes)}
        for name, value, notes in metrics
        if math.isfinite(value)
    ]


def _caveats(evaluation: Evaluation) -> list[str]:
    """Return sentences about what limits the score and the model, as far as the evaluation found it."""
    evidence, score, calibration = evaluation.evidence, evaluation.score, evaluation.calibration
    found = []
    if score.split == VALIDATION:
        found.append(
            "The score is of the validation images, which may also have chosen the best epoch, so it can be slightly "
            "optimistic; a test channel gives an independent one."
        )
    if score.accuracy.total < _FEW_IMAGES:
        found.append(f"It rests on {counted(score.accuracy.total, 'image')} ({_interval(score.accuracy.interval)}).")
    if evaluation.duplicates and evaluation.duplicates.leaked:
        found.append(f"Of its images, {len(evaluation.duplicates.leaked)} also occur in another split.")
    if evaluation.label_issues:
        found.append(f"Labels to check, which the predictions contradict: {len(evaluation.label_issues)}.")
    if calibration and calibration.ece > calibration.ece_by_chance:
        found.append(f"Probabilities are not calibrated (expected calibration error {calibration.ece:.3f}).")
    if not evidence.model_info.get("licence"):
        found.append("The licence of the pre-trained model is not recorded: check it before distributing the model.")
    found.append("The score holds for images like those it was measured on; it says nothing about others.")
    return found


def _custom_details(evidence: Evidence) -> dict[str, str]:
    info = evidence.model_info
    data, versions = _recorded(evidence, "data"), _recorded(evidence, "versions")
    return {
        "pre-trained model": _text(str(info.get("model_id") or _UNKNOWN)),
        "source of the pre-trained model": _text(str(info.get("source") or _UNKNOWN)),
        "licence of the pre-trained model": _text(str(info.get("licence") or _UNKNOWN)),
        "fingerprint of the training images (SHA-256)": _text(str(data.get("sha256") or _UNKNOWN)),
        "SHA-256 of the SavedModel": _text(str(info.get("sha256") or _UNKNOWN)),
        **{one.name: _text(network_forms.sentence(one)) for one in network_forms.describe(evidence)},
        "versions": _text(", ".join(f"{name} {version}" for name, version in versions.items()) or _UNKNOWN),
    }


def _recorded(evidence: Evidence, key: str) -> Mapping[str, Any]:
    """Return an object of the model info; empty where it is missing or another program wrote something else."""
    found = evidence.model_info.get(key)
    return found if isinstance(found, Mapping) else {}


def _described(share: Proportion) -> str:
    return f"{share.value:.3f} ({share.count} of {share.total}, {_interval(share.interval)})"


def _interval(interval: Interval) -> str:
    return f"{_CONFIDENCE} {interval.low:.3f} to {interval.high:.3f}"


def _text(text: str, limit: int = _MEDIUM) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
