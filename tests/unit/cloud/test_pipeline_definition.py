"""The definition of a pipeline, and the requests that its steps send."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from image_classifier.cloud.sagemaker import calls
from image_classifier.cloud.sagemaker.pipelines import definition, judging, references
from image_classifier.cloud.sagemaker.pipelines.definition import Pipeline
from image_classifier.contract import gate_files
from image_classifier.contract.errors import UserError
from image_classifier.registration import figures
from image_classifier.registration import job as gate
from tests.support import registered, schemas
from tests.support.golden_files import assert_golden
from tests.support.sagemaker_service import IMAGE
from tests.unit.cloud.test_training_request import job

GOLDEN = Path(__file__).parent / "golden"


def pipeline(how: Mapping[str, Any] | None = None, **given: Any) -> Pipeline:
    """Return a pipeline with some options of its own and of its job."""
    found = job({"epochs": "5", "tensorboard": "True"}, **given)
    return Pipeline("flowers-pipeline", "flowers", found, definition.parse(how or {}))


def test_definition_is_the_golden_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a job with a serve image -> the definition of the golden file, in the schema of 2020-12-01."""
    monkeypatch.setattr("image_classifier.cloud.sagemaker.tags.__version__", "1.2.3")
    found = definition.build(pipeline({"minimum_accuracy": 0.9}, serve_image=registered.SERVE, kms_key="alias/mine"))
    schemas.validate(found, "pipeline_definition")
    assert_golden(GOLDEN / "pipeline.json", found)


def test_every_step_is_a_request_that_boto3_knows() -> None:
    """Given the definition -> the requests of its steps, with values for references, fit botocore's service model."""
    found = definition.requests(definition.build(pipeline(serve_image=registered.SERVE)))
    calls.validate(found)
    assert [call.operation for call in found] == [
        *("CreateTrainingJob", "CreateProcessingJob", "CreateModelPackage", "CreateModelPackage"),
    ]
    images = [call.parameters["InferenceSpecification"]["Containers"][0]["Image"] for call in found[2:]]
    assert images == [registered.SERVE, IMAGE]


def test_a_wrong_step_is_found() -> None:
    """Given an instance type that does not exist -> the check names it, as a default of a parameter too."""
    made = definition.build(pipeline({"judge_instance_type": "ml.m5.lage"}, instance_type="ml.m5.xlage"))
    with pytest.raises(UserError, match=r"2 values would be rejected(.|\n)*ml.m5.xlarge(.|\n)*ml.m5.large"):
        calls.validate(definition.requests(made))
    with pytest.raises(UserError, match="a pipeline takes one type"):
        definition.build(pipeline(instance_type="ml.m5.xlarge,ml.c5.xlarge"))
    made["Steps"][0]["Arguments"]["RoleArn"] = {"Ref": "role"}
    with pytest.raises(UserError, match="RoleArn"):
        calls.validate(definition.requests(made))


def test_a_definition_of_another_form_is_found() -> None:
    """Given a step of an unknown type, and a parameter that does not exist -> neither is accepted."""
    made = definition.build(pipeline())
    made["Steps"][0]["Type"] = "Train"
    with pytest.raises(jsonschema.ValidationError):
        schemas.validate(made, "pipeline_definition")
    with pytest.raises(KeyError):
        references.filled(references.parameter("Missing"), {})


def test_without_a_serve_image_nothing_is_chosen() -> None:
    """Given no serve image -> one registration behind the accuracy, with the training image."""
    condition = definition.build(pipeline())["Steps"][-1]["Arguments"]
    assert [step["Name"] for step in condition["IfSteps"]] == ["Register"]
    assert [step["Type"] for step in condition["ElseSteps"]] == ["Fail"]


def test_executions_do_not_share_folders() -> None:
    """Given the definition -> checkpoints, events and reports lie in folders of the execution."""
    train, judge, _ = definition.build(pipeline())["Steps"]
    arguments = train["Arguments"]
    for uri in (
        arguments["CheckpointConfig"]["S3Uri"],
        arguments["TensorBoardOutputConfig"]["S3OutputPath"],
        judge["Arguments"]["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"],
    ):
        assert references.get(references.EXECUTION) in uri["Std:Join"]["Values"]


def test_conditions_read_what_the_verb_writes(tmp_path: Path) -> None:
    """Given the figures that `gate` writes -> every key that a condition of the definition reads is among them."""
    registered.write_report(tmp_path)
    written = gate.as_json(figures.read(tmp_path), tmp_path)
    text = definition.text(definition.build(pipeline(serve_image=registered.SERVE)))
    assert set(re.findall(r'"Path": "(\w+)"', text)) <= written.keys()
    inputs = judging.step(pipeline().job, "ml.m5.large")["Arguments"]["ProcessingInputs"]
    assert tuple(each["InputName"] for each in inputs) == gate_files.INPUTS
    assert json.loads(definition.text({"a": 1})) == {"a": 1}
