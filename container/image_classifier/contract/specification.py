"""Payloads of SageMaker's API derived from the declarations: CreateAlgorithm and CreateHyperParameterTuningJob."""

from collections.abc import Sequence
from typing import Any

from image_classifier.contract import metrics
from image_classifier.contract.channels import CHANNELS, Channel
from image_classifier.contract.declaration import Declaration, Value
from image_classifier.contract.hyperparameters import DECLARATIONS
from image_classifier.contract.value_forms import encode

INSTANCE_TYPES = (
    *(f"ml.m5.{size}" for size in ("large", "xlarge", "2xlarge", "4xlarge", "12xlarge", "24xlarge")),
    *(f"ml.c5.{size}" for size in ("xlarge", "2xlarge", "4xlarge", "9xlarge", "18xlarge")),
    *(f"ml.p3.{size}" for size in ("2xlarge", "8xlarge", "16xlarge")),
    *(f"ml.g4dn.{size}" for size in ("xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge")),
    *(f"ml.g5.{size}" for size in ("xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge", "24xlarge")),
)
"""CPU and GPU families that the developer guide lists for the built-in algorithm, and compute-optimised CPUs."""
_LARGEST_INTEGER = 2**31 - 1
"""Upper bound for declarations without one, which the API requires."""


def training_specification(
    image: str, instance_types: Sequence[str] = INSTANCE_TYPES, distributed: bool = False
) -> dict[str, Any]:
    """Return `TrainingSpecification` of CreateAlgorithm for the Docker image with the URI `image`."""
    return {
        "TrainingImage": image,
        "SupportedHyperParameters": [_hyperparameter(declared) for declared in DECLARATIONS],
        "SupportedTrainingInstanceTypes": list(instance_types),
        "SupportsDistributedTraining": distributed,
        "MetricDefinitions": metrics.definitions(),
        "TrainingChannels": [_channel(channel) for channel in CHANNELS],
        "SupportedTuningJobObjectiveMetrics": tuning_objectives(),
    }


def tuning_objectives() -> list[dict[str, str]]:
    """Return the possible objectives of a tuning job: the validation metrics, that of the developer guide first."""
    objectives = [
        {"Type": "Minimize" if measure.name == "loss" else "Maximize", "MetricName": name}
        for measure in metrics.MEASURES
        if measure.decimals
        for name in measure.validation.names
    ]
    return sorted(objectives, key=lambda objective: objective["MetricName"] != metrics.OBJECTIVE)


def parameter_ranges() -> dict[str, list[dict[str, Any]]]:
    """Return `ParameterRanges` of a tuning job: every tunable hyperparameter with the developer guide's range."""
    ranges = _no_ranges()
    for declared in DECLARATIONS:
        if declared.tunable:
            ranges[f"{_kind(declared)}ParameterRanges"].append(_tuning_range(declared, declared.tunable, "Auto"))
    return ranges


def recommended_ranges() -> dict[str, list[dict[str, Any]]]:
    """Return `ParameterRanges` of a tuning job for the head alone: the hyperparameters and ranges of recipe=search."""
    ranges = _no_ranges()
    for declared in DECLARATIONS:
        if declared.recommended:
            scale = "Logarithmic" if declared.logarithmic else "Linear"
            ranges[f"{_kind(declared)}ParameterRanges"].append(_tuning_range(declared, declared.recommended, scale))
    return ranges


def search_range(declared: Declaration, searched: Sequence[Value]) -> tuple[str, dict[str, Any]]:
    """Return the list of `ParameterRanges` for a hyperparameter, and the entry that searches other values there.

    `searched`: the smallest and the largest number, or all values of a choice.
    """
    logarithmic = declared.logarithmic and all(isinstance(bound, int | float) and bound > 0 for bound in searched)
    if _kind(declared) == "Categorical":
        entry: dict[str, Any] = {"Name": declared.name, "Values": [encode(value) for value in searched]}
    else:
        bounds = [declared.kind(bound) for bound in searched]
        entry = _tuning_range(declared, bounds, "Logarithmic" if logarithmic else "Auto")
    return f"{_kind(declared)}ParameterRanges", entry


def _no_ranges() -> dict[str, list[dict[str, Any]]]:
    return {"IntegerParameterRanges": [], "ContinuousParameterRanges": [], "CategoricalParameterRanges": []}


def _tuning_range(declared: Declaration, searched: Sequence[float | str], scale: str) -> dict[str, Any]:
    if _kind(declared) == "Categorical":
        return {"Name": declared.name, "Values": list(searched)}
    low, high = (encode(declared.kind(bound)) for bound in searched)
    return {"Name": declared.name, "MinValue": low, "MaxValue": high, "ScalingType": scale}


def _hyperparameter(declared: Declaration) -> dict[str, Any]:
    found: dict[str, Any] = {
        "Name": declared.name,
        "Description": declared.meaning,
        "Type": _kind(declared),
        "IsTunable": bool(declared.tunable or declared.recommended),
        "IsRequired": False,
        "DefaultValue": encode(declared.default),
    }
    if found["Type"] != "FreeText":
        found["Range"] = {f"{found['Type']}ParameterRangeSpecification": _range(declared)}
    return found


def _range(declared: Declaration) -> dict[str, Any]:
    if declared.kind is bool:
        return {"Values": ["True", "False"]}
    if declared.choices:
        return {"Values": list(declared.choices)}
    bounds = (declared.minimum, _LARGEST_INTEGER if declared.maximum is None else declared.maximum)
    low, high = (encode(declared.kind(bound)) for bound in bounds)
    return {"MinValue": low, "MaxValue": high}


def _kind(declared: Declaration) -> str:
    if declared.kind is bool or declared.choices:
        return "Categorical"
    return {int: "Integer", float: "Continuous", str: "FreeText"}[declared.kind]


def _channel(channel: Channel) -> dict[str, Any]:
    return {
        "Name": channel.name,
        "Description": channel.meaning,
        "IsRequired": channel.required,
        "SupportedContentTypes": list(channel.content_types),
        "SupportedCompressionTypes": ["None"],
        "SupportedInputModes": list(channel.input_modes),
    }
