"""An execution of a pipeline on the SageMaker of this machine: training is pretended, the verb `gate` judges for real.

The steps are those of the definition that was sent; references are resolved as the platform does.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import boto3

from image_classifier.registration import job as gate
from tests.support.sagemaker_service import SageMakerService

JOB = "pipelines-1-train"
"""Name of the training job."""
_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "GreaterThanOrEqualTo": lambda left, right: left >= right,
    "GreaterThan": lambda left, right: left > right,
    "Equals": lambda left, right: left == right,
}


class Execution:
    """One execution; `run` is for `service.before["StartPipelineExecution"]`."""

    def __init__(self, service: SageMakerService, finish: Callable[[str], None], scratch: Path) -> None:
        """`finish` leaves the results of a training job of a name in S3."""
        self._service, self._finish, self._scratch = service, finish, scratch
        self._known: dict[str, Any] = {}
        """What references stand for."""
        self._figures: dict[str, Any] = {}

    def run(self, started: Mapping[str, Any]) -> None:
        """Take the steps of the pipeline that is started."""
        pipeline = self._service.backend.pipelines[started["PipelineName"]]
        definition = json.loads(pipeline.pipeline_definition)
        self._known = {f"Parameters.{one['Name']}": one["DefaultValue"] for one in definition["Parameters"]}
        self._known["Execution.PipelineExecutionId"] = "1"
        self._known["Execution.PipelineExecutionArn"] = f"{pipeline.arn}/execution/1"
        self._service.backend.execution_steps = []
        self._take(definition["Steps"])

    def _take(self, steps: list[dict[str, Any]]) -> None:
        for step in steps:
            metadata = getattr(self, f"_{step['Type'].lower()}")(step)
            done = {"StepName": step["Name"], "StepStatus": "Succeeded", "Metadata": metadata}
            self._service.backend.execution_steps.append(done)

    def _training(self, step: dict[str, Any]) -> dict[str, Any]:
        self._finish(JOB)
        folder = self._resolved(step["Arguments"]["OutputDataConfig"]["S3OutputPath"])
        self._known[f"Steps.{step['Name']}.ModelArtifacts.S3ModelArtifacts"] = f"{folder}/{JOB}/output/model.tar.gz"
        self._known[f"Steps.{step['Name']}.OutputDataConfig.S3OutputPath"] = folder
        self._known[f"Steps.{step['Name']}.TrainingJobName"] = JOB
        return {"TrainingJob": {"Arn": f"arn:aws:sagemaker:eu-west-1:123456789012:training-job/{JOB}"}}

    def _processing(self, step: dict[str, Any]) -> dict[str, Any]:
        arguments = self._resolved(step["Arguments"])
        assert arguments["AppSpecification"]["ContainerEntrypoint"] == ["gate"]
        for given in arguments["ProcessingInputs"]:
            uri, folder = given["S3Input"]["S3Uri"], self._inside(given["S3Input"]["LocalPath"])
            folder.mkdir(parents=True)
            boto3.client("s3").download_file(*_split(uri), str(folder / uri.rpartition("/")[2]))
        gate.run(self._inside("/opt/ml/processing/input"), self._inside("/opt/ml/processing/output"))
        (output,) = arguments["ProcessingOutputConfig"]["Outputs"]
        uri, folder = output["S3Output"]["S3Uri"], self._inside(output["S3Output"]["LocalPath"])
        for file in folder.iterdir():
            boto3.client("s3").upload_file(str(file), *_split(f"{uri}/{file.name}"))
        (properties,) = step["PropertyFiles"]
        self._figures = json.loads((folder / properties["FilePath"]).read_text())
        name = f"ProcessingOutputConfig.Outputs['{output['OutputName']}'].S3Output.S3Uri"
        self._known[f"Steps.{step['Name']}.{name}"] = uri
        return {}

    def _inside(self, path: str) -> Path:
        return self._scratch / path.lstrip("/")

    def _condition(self, step: dict[str, Any]) -> dict[str, Any]:
        arguments = step["Arguments"]
        holds = all(
            _COMPARISONS[one["Type"]](self._resolved(one["LeftValue"]), self._resolved(one["RightValue"]))
            for one in arguments["Conditions"]
        )
        self._take(arguments["IfSteps" if holds else "ElseSteps"])
        return {}

    def _registermodel(self, step: dict[str, Any]) -> dict[str, Any]:
        made = boto3.client("sagemaker").create_model_package(**self._resolved(step["Arguments"]))
        return {"RegisterModel": {"Arn": made["ModelPackageArn"]}}

    def _resolved(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._resolved(one) for one in value]
        if not isinstance(value, dict):
            return value
        if value.keys() == {"Get"}:
            return self._known[value["Get"]]
        if value.keys() == {"Std:Join"}:
            parts = value["Std:Join"]
            return parts["On"].join(str(self._resolved(part)) for part in parts["Values"])
        if value.keys() == {"Std:JsonGet"}:
            return self._figures[value["Std:JsonGet"]["Path"]]
        return {name: self._resolved(one) for name, one in value.items()}


def _split(uri: str) -> tuple[str, str]:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key
