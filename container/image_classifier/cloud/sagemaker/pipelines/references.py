"""References inside a pipeline's definition, and the values that stand for them when its requests are checked.

The forms are those of the definition's JSON schema, version 2020-12-01:
https://aws-sagemaker-mlops.github.io/sagemaker-model-building-pipeline-definition-JSON-schema/
"""

from collections.abc import Mapping
from typing import Any

EXECUTION = "Execution.PipelineExecutionId"
_EXECUTION_ARN = "arn:aws:sagemaker:eu-west-1:123456789012:pipeline/name/execution/id"
_FOLDER = "s3://bucket/folder"


def get(path: str) -> dict[str, Any]:
    """Return a reference to a parameter, a property of a step, or the execution."""
    return {"Get": path}


def parameter(name: str) -> dict[str, Any]:
    """Return a reference to a parameter of the pipeline."""
    return get(f"Parameters.{name}")


def join(on: str, *values: Any) -> dict[str, Any]:
    """Return the text that joins texts and references."""
    return {"Std:Join": {"On": on, "Values": list(values)}}


def json_value(step: str, file: str, path: str) -> dict[str, Any]:
    """Return a value of a step's property file, for conditions."""
    return {"Std:JsonGet": {"PropertyFile": get(f"Steps.{step}.PropertyFiles.{file}"), "Path": path}}


def filled(value: Any, defaults: Mapping[str, Any]) -> Any:
    """Return a part of a definition with values in place of references, as boto3's service model can check it.

    Args:
        value: A part of the definition.
        defaults: The defaults of the pipeline's parameters.

    Raises:
        KeyError: It refers to a parameter that the pipeline does not have.
    """
    if isinstance(value, list):
        return [filled(item, defaults) for item in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"Get"}:
        return _stand_in(value["Get"], defaults)
    if value.keys() == {"Std:Join"}:
        parts = value["Std:Join"]
        return parts["On"].join(str(filled(part, defaults)) for part in parts["Values"])
    return {name: filled(item, defaults) for name, item in value.items()}


def _stand_in(path: str, defaults: Mapping[str, Any]) -> Any:
    kind, _, name = path.partition(".")
    if kind == "Parameters":
        return defaults[name]
    if kind == "Execution":
        return _EXECUTION_ARN if name == "PipelineExecutionArn" else "execution"
    return "name" if name.endswith("JobName") else _FOLDER
