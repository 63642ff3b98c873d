"""Payloads against the service model that botocore ships."""

import importlib
import re
from typing import Any

import boto3.session
import pytest

from image_classifier.contract import metrics, specification
from image_classifier.contract.channels import CHANNELS
from image_classifier.contract.hyperparameters import DECLARATIONS, parse
from image_classifier.contract.value_forms import encode

# Imported by name: botocore has no types.
validate: Any = importlib.import_module("botocore.validate")
# The developer guide's page IC-TF-tuning.
TUNABLE = {"batch_size", "beta_1", "beta_2", "epsilon", "learning_rate", "momentum", "regularizers_l2", "optimizer"}
TUNABLE |= {"train_only_top_layer"}
BESIDE = {
    "max_latency_ms": {"recipe": "auto", "model_id": "auto"},
    "recipe": {},
    "refit": {"recipe": "auto"},
    "search_trials": {"recipe": "search"},
    "unfreeze_after": {"epochs": "2000000"},
}
"""Values that are only allowed beside others."""
IMAGE = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/image-classifier:gpu"


@pytest.fixture(scope="module")
def service() -> Any:
    """SageMaker's service model, read without credentials or network."""
    client = boto3.session.Session().client(
        "sagemaker", region_name="eu-west-1", aws_access_key_id="none", aws_secret_access_key="none"
    )
    return client.meta.service_model


def complaints(service: Any, shape: str, payload: Any) -> str:
    """Return what botocore finds wrong with a payload."""
    return str(validate.ParamValidator().validate(payload, service.shape_for(shape)).generate_report())


def test_the_algorithm(service: Any) -> None:
    """The training specification -> valid for CreateAlgorithm, every instance type known; a broken one is noticed."""
    payload = specification.training_specification(IMAGE)
    assert complaints(service, "TrainingSpecification", payload) == ""
    assert set(payload["SupportedTrainingInstanceTypes"]) <= set(service.shape_for("TrainingInstanceType").enum)
    assert complaints(service, "TrainingSpecification", payload | {"MetricDefinitions": [{"Name": "loss"}]})


def test_hyperparameters_in_the_algorithm(service: Any) -> None:
    """Every hyperparameter -> in the algorithm with a known type; our parser takes its default and its range's ends."""
    found = specification.training_specification(IMAGE)["SupportedHyperParameters"]
    assert [item["Name"] for item in found] == [declared.name for declared in DECLARATIONS]
    for item, declared in zip(found, DECLARATIONS, strict=True):
        assert item["Type"] in service.shape_for("ParameterType").enum
        assert len(item["Description"]) <= 1024
        ends = [end for bounds in item.get("Range", {}).values() for end in bounds.values()]
        values = {value for end in ends for value in (end if isinstance(end, list) else [end])}
        for value in {item["DefaultValue"], *values} - {encode(value) for value in declared.excluded}:
            beside = BESIDE.get(declared.name, {"binary_mode": "True", "epochs": "2147483647"})
            assert parse({**beside, item["Name"]: value}).sources[item["Name"]] == "given"


def test_tuning_ranges(service: Any) -> None:
    """The tuning ranges -> valid for the API, the guide's names, and every end accepted by our parser."""
    ranges = specification.parameter_ranges()
    assert complaints(service, "ParameterRanges", ranges) == ""
    found = {item["Name"]: item for kind in ranges.values() for item in kind}
    assert set(found) == TUNABLE
    assert (found["batch_size"]["MinValue"], found["batch_size"]["MaxValue"]) == ("8", "512")
    assert (found["learning_rate"]["MinValue"], found["learning_rate"]["MaxValue"]) == ("0.000001", "0.5")
    for name, item in found.items():
        for value in item.get("Values") or (item["MinValue"], item["MaxValue"]):
            assert parse({name: value}).sources[name] == "given"


def test_recommended_ranges(service: Any) -> None:
    """The recommended ranges -> valid for the API, logarithmic above 0, each tunable in the algorithm and accepted."""
    ranges = specification.recommended_ranges()
    assert complaints(service, "ParameterRanges", ranges) == ""
    found = {item["Name"]: item for kind in ranges.values() for item in kind}
    assert {"learning_rate", "epochs", "dropout_rate"} <= set(found)
    scales = set(service.shape_for("HyperParameterScalingType").enum)
    for name, item in found.items():
        assert item.get("ScalingType", "Auto") in scales
        assert item.get("ScalingType") != "Logarithmic" or float(item["MinValue"]) > 0
        for value in item.get("Values") or (item["MinValue"], item["MaxValue"]):
            assert parse({name: value}).sources[name] == "given"
    algorithm = specification.training_specification(IMAGE)["SupportedHyperParameters"]
    tunable = {item["Name"] for item in algorithm if item["IsTunable"]}
    assert tunable == TUNABLE | set(found)


def test_tuning_objectives() -> None:
    """The objectives -> the guide's first, each defined as a metric, losses minimised."""
    objectives = specification.tuning_objectives()
    assert objectives[0] == {"Type": "Maximize", "MetricName": "validation:accuracy"}
    assert {"Type": "Minimize", "MetricName": "val_loss"} in objectives
    assert {item["MetricName"] for item in objectives} <= {item["Name"] for item in metrics.definitions()}


def test_channels(service: Any) -> None:
    """The channels -> training alone is required, names and input modes are the API's."""
    assert {channel.name: channel.required for channel in CHANNELS} == {
        "training": True,
        "validation": False,
        "test": False,
        "model": False,
    }
    for channel in CHANNELS:
        assert re.fullmatch(service.shape_for("ChannelName").metadata["pattern"], channel.name)
        assert set(channel.input_modes) <= set(service.shape_for("TrainingInputMode").enum)
