"""The definition of a pipeline: Train -> Judge -> CheckAccuracy -> Register, or the reason why not."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from image_classifier.cloud.sagemaker import registering
from image_classifier.cloud.sagemaker.calls import Call
from image_classifier.cloud.sagemaker.option_reading import items, read, reject
from image_classifier.cloud.sagemaker.pipelines import judging, references
from image_classifier.cloud.sagemaker.pipelines.judging import TRAIN
from image_classifier.cloud.sagemaker.registry import APPROVED, PENDING, REJECTED
from image_classifier.cloud.sagemaker.tags import tags
from image_classifier.cloud.sagemaker.training import TrainingJob, create_training_job
from image_classifier.contract import gate_files, report_files
from image_classifier.contract.declaration import Declaration, declarations_of, declare
from image_classifier.contract.errors import UserError

VERSION = "2020-12-01"
_DATA, _INSTANCE, _MINIMUM, _STATUS = "TrainingData", "InstanceType", "MinimumAccuracy", "ModelApprovalStatus"
_SINCE: dict[str, Any] = {"since": "0.5", "builtin": False}


@dataclass(frozen=True, kw_only=True)
class PipelineOptions:
    """What a pipeline needs beside its experiment."""

    minimum_accuracy: float = declare(
        0.8,
        **_SINCE,
        minimum=0,
        maximum=1,
        meaning="Least lower bound of the accuracy's 95 % interval with which a model is registered.",
    )
    group: str = declare("", **_SINCE, meaning="Model package group of the versions; default: the experiment's name.")
    approval_status: str = declare(
        PENDING, **_SINCE, choices=(PENDING, APPROVED), meaning="Approval status of the versions."
    )
    judge_instance_type: str = declare(
        "ml.m5.large", **_SINCE, meaning="Type of the instance that reads the job's report, for a minute."
    )


DECLARATIONS: tuple[Declaration, ...] = declarations_of(PipelineOptions)


@dataclass(frozen=True)
class Pipeline:
    """A pipeline that trains one experiment."""

    name: str
    group: str
    job: TrainingJob
    """Its inputs lie in S3; its name is that of the pipeline."""
    how: PipelineOptions


def parse(given: Mapping[str, Any]) -> PipelineOptions:
    """Return the options with defaults for those that are not given.

    Raises:
        UserError: One message with every problem.
    """
    found, problems = read(PipelineOptions, given)
    reject(problems)
    return found


def build(found: Pipeline) -> dict[str, Any]:
    """Return the definition.

    Raises:
        UserError: Several instance types are given; a hyperparameter is invalid, or needs the network that the job
            does not have.
    """
    if len(items(found.job.options.instance_type)) > 1:
        raise UserError(
            f"instance_type is {found.job.options.instance_type!r}; a pipeline takes one type, the default of its "
            f"parameter {_INSTANCE}. Give one: --instance-type X."
        )
    return {
        "Version": VERSION,
        "Metadata": {},
        "Parameters": list(_parameters(found)),
        "Steps": [_train(found), judging.step(found.job, found.how.judge_instance_type), _condition(found)],
    }


def _parameters(found: Pipeline) -> Iterator[dict[str, Any]]:
    yield {"Name": _DATA, "Type": "String", "DefaultValue": found.job.channels["training"]}
    yield {"Name": _INSTANCE, "Type": "String", "DefaultValue": found.job.options.instance_type}
    yield {"Name": _MINIMUM, "Type": "Float", "DefaultValue": found.how.minimum_accuracy}
    allowed = [APPROVED, PENDING, REJECTED]
    yield {"Name": _STATUS, "Type": "String", "DefaultValue": found.how.approval_status, "EnumValues": allowed}


def _train(found: Pipeline) -> dict[str, Any]:
    """Return the step of the training job: the request of `scripts/launch train`, with folders of its own."""
    parameters = dict(create_training_job(found.job).parameters)
    del parameters["TrainingJobName"]
    for channel in parameters["InputDataConfig"]:
        if channel["ChannelName"] == "training":
            channel["DataSource"]["S3DataSource"]["S3Uri"] = references.parameter(_DATA)
    parameters["ResourceConfig"]["InstanceType"] = references.parameter(_INSTANCE)
    # Otherwise an execution would continue from the checkpoints of the one before it.
    parameters["CheckpointConfig"] = {"S3Uri": _of_execution(found.job.checkpoint_folder.uri)}
    if "TensorBoardOutputConfig" in parameters:
        events = found.job.storage.below(f"tensorboard/{found.name}").uri
        parameters["TensorBoardOutputConfig"] = {"S3OutputPath": _of_execution(events)}
    return {"Name": TRAIN, "Type": "Training", "Arguments": parameters}


def _of_execution(folder: str) -> dict[str, Any]:
    return references.join("/", folder, references.get(references.EXECUTION))


def _condition(found: Pipeline) -> dict[str, Any]:
    conditions = [
        {
            "Type": "GreaterThanOrEqualTo",
            "LeftValue": judging.value(gate_files.ACCURACY_LOW),
            "RightValue": references.parameter(_MINIMUM),
        },
        {"Type": "GreaterThan", "LeftValue": judging.value(gate_files.MARGIN), "RightValue": 0.0},
    ]
    return _if("CheckAccuracy", conditions, list(_registration(found)), [_failure()])


def _if(name: str, conditions: list[Any], then: list[Any], otherwise: list[Any]) -> dict[str, Any]:
    arguments = {"Conditions": conditions, "IfSteps": then, "ElseSteps": otherwise}
    return {"Name": name, "Type": "Condition", "Arguments": arguments}


def _failure() -> dict[str, Any]:
    message = references.join(
        " ",
        "The model is not registered: the lower bound of its accuracy is below MinimumAccuracy,",
        references.parameter(_MINIMUM),
        "or it is no better than always answering the most frequent class. The figures are in",
        judging.file(gate_files.FIGURES),
    )
    return {"Name": "Reject", "Type": "Fail", "Arguments": {"ErrorMessage": message}}


def _registration(found: Pipeline) -> Iterator[dict[str, Any]]:
    """Yield the step that registers the model; with a serve image the one that chooses between two of them."""
    image, serve_image = found.job.options.image, found.job.options.serve_image
    plain = _register(found, "Register", image)
    if not serve_image:
        yield plain
        return
    conditions = [{"Type": "Equals", "LeftValue": judging.value(gate_files.HAS_OPENVINO), "RightValue": 1}]
    yield _if("ChooseImage", conditions, [_register(found, "RegisterForServeImage", serve_image)], [plain])


def _register(found: Pipeline, name: str, image: str) -> dict[str, Any]:
    statistics, constraints = (_source(one) for one in gate_files.BASELINES)
    arguments = {
        "ModelPackageGroupName": found.group,
        "InferenceSpecification": registering.inference(
            image, references.get(f"Steps.{TRAIN}.ModelArtifacts.S3ModelArtifacts")
        ),
        "ModelMetrics": {"ModelQuality": {"Statistics": _source(report_files.MODEL_QUALITY)}},
        "DriftCheckBaselines": {"ModelDataQuality": {"Statistics": statistics, "Constraints": constraints}},
        "ModelApprovalStatus": references.parameter(_STATUS),
        "MetadataProperties": {"GeneratedBy": references.get("Execution.PipelineExecutionArn")},
        "CustomerMetadataProperties": registering.properties(found.job.experiment, {}),
    }
    return {"Name": name, "Type": "RegisterModel", "Arguments": arguments}


def _source(name: str) -> dict[str, Any]:
    return {"ContentType": "application/json", "S3Uri": judging.file(name)}


def text(definition: Mapping[str, Any]) -> str:
    """Return a definition as the API takes it."""
    return json.dumps(definition, sort_keys=True)


def upsert(found: Pipeline, definition: Mapping[str, Any], exists: bool) -> Call:
    """Return the request that makes the pipeline, or that gives an existing one the definition."""
    parameters: dict[str, Any] = {
        "PipelineName": found.name,
        "PipelineDefinition": text(definition),
        "PipelineDescription": f"Trains {found.job.experiment} and registers its model in {found.group}",
        "RoleArn": found.job.options.role,
    }
    if not exists:
        parameters["Tags"] = tags(found.job.experiment, found.job.options.tag_mapping)
    return Call("sagemaker", f"{'Update' if exists else 'Create'}Pipeline", parameters, f"The pipeline {found.name}")


_OPERATIONS = {
    "Training": ("CreateTrainingJob", "TrainingJobName"),
    "Processing": ("CreateProcessingJob", "ProcessingJobName"),
    "RegisterModel": ("CreateModelPackage", None),
}
"""What a step asks SageMaker for, and the name that the service gives to it."""


def requests(definition: Mapping[str, Any]) -> list[Call]:
    """Return the requests of a definition's steps, with values in place of references, for `calls.validate`."""
    defaults = {one["Name"]: one["DefaultValue"] for one in definition["Parameters"]}
    found = []
    for step in steps(definition["Steps"]):
        if step["Type"] in _OPERATIONS:
            operation, name = _OPERATIONS[step["Type"]]
            parameters = references.filled(step["Arguments"], defaults)
            named = {name: "name"} if name else {}
            found.append(Call("sagemaker", operation, {**named, **parameters}, f"The step {step['Name']}"))
    return found


def steps(given: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield steps and those inside conditions."""
    for step in given:
        yield step
        if step["Type"] == "Condition":
            yield from steps(step["Arguments"]["IfSteps"])
            yield from steps(step["Arguments"]["ElseSteps"])
