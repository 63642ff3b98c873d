"""Operations of SageMaker that moto lacks or does otherwise than AWS, as methods of its class of answers."""

import json
from collections.abc import Callable
from typing import Any

from moto.sagemaker.responses import SageMakerResponse

_CREATE_MODEL_PACKAGE = SageMakerResponse.create_model_package
_DESCRIBE_MODEL_PACKAGE = SageMakerResponse.describe_model_package


def _stop_training_job(response: Any) -> str:
    job = response.sagemaker_backend.training_jobs[response._get_param("TrainingJobName")]
    # As if it had ended at once; a test that looks at the time between sets the state itself.
    job.training_job_status = job.secondary_status = "Stopped"
    return "{}"


def _stop_tuning_job(response: Any) -> str:
    job = response.sagemaker_backend.hyper_parameter_tuning_jobs[response._get_param("HyperParameterTuningJobName")]
    job.hyper_parameter_tuning_job_status = "Stopped"
    return "{}"


def _stop_transform_job(response: Any) -> str:
    job = response.sagemaker_backend.transform_jobs[response._get_param("TransformJobName")]
    job.transform_job_status = "Stopped"
    return "{}"


def _stop_processing_job(response: Any) -> str:
    job = response.sagemaker_backend.processing_jobs[response._get_param("ProcessingJobName")]
    job.processing_job_status = "Stopped"
    return "{}"


def _deleting(kept: str, name: str) -> Callable[[Any], str]:
    """Return an operation that removes what the parameter `name` names from one of moto's tables."""

    def delete(response: Any) -> str:
        getattr(response.sagemaker_backend, kept).pop(response._get_param(name))
        return "{}"

    return delete


def _list_jobs_of_a_search(response: Any) -> str:
    return json.dumps({"TrainingJobSummaries": response.sagemaker_backend.tuned})


def _list_steps(response: Any) -> str:
    return json.dumps({"PipelineExecutionSteps": getattr(response.sagemaker_backend, "execution_steps", [])})


def _stop_execution(response: Any) -> str:
    arn = response._get_param("PipelineExecutionArn")
    for pipeline in response.sagemaker_backend.pipelines.values():
        if arn in pipeline.pipeline_executions:
            pipeline.pipeline_executions[arn].pipeline_execution_status = "Stopped"
    return json.dumps({"PipelineExecutionArn": arn})


def _update_model_package(response: Any) -> str:
    # moto forgets the metadata of a version whose status changes, and knows no model cards.
    arn = response._get_param("ModelPackageArn")
    version = response.sagemaker_backend.model_packages[arn]
    if status := response._get_param("ModelApprovalStatus"):
        version.set_model_approval_status(status)
    if added := response._get_param("CustomerMetadataProperties"):
        version.customer_metadata_properties = {**(version.customer_metadata_properties or {}), **added}
    version.card = response._get_param("ModelCard") or getattr(version, "card", None)
    return json.dumps({"ModelPackageArn": arn})


def _create_model_package(response: Any) -> Any:
    made = _CREATE_MODEL_PACKAGE(response)
    result: Any = made.result
    arn = result["ModelPackageArn"]
    response.sagemaker_backend.model_packages[arn].card = response._get_param("ModelCard")
    return made


def _describe_model_package(response: Any) -> Any:
    described = _DESCRIBE_MODEL_PACKAGE(response)
    version = response.sagemaker_backend.model_packages.get(response._get_param("ModelPackageName"))
    if card := getattr(version, "card", None):
        result: Any = described.result
        result["ModelCard"] = card
    return described


def _update_endpoint(response: Any) -> str:
    endpoint = response.sagemaker_backend.endpoints[response._get_param("EndpointName")]
    endpoint.endpoint_config_name = response._get_param("EndpointConfigName")
    return json.dumps({"EndpointArn": endpoint.arn})


LACKING = {
    "update_endpoint": _update_endpoint,
    "create_model_package": _create_model_package,
    "describe_model_package": _describe_model_package,
    "list_pipeline_execution_steps": _list_steps,
    "stop_pipeline_execution": _stop_execution,
    "update_model_package": _update_model_package,
    "delete_model_package": _deleting("model_packages", "ModelPackageName"),
    "delete_model_package_group": _deleting("model_package_groups", "ModelPackageGroupName"),
    "list_training_jobs_for_hyper_parameter_tuning_job": _list_jobs_of_a_search,
    "stop_training_job": _stop_training_job,
    "stop_hyper_parameter_tuning_job": _stop_tuning_job,
    "stop_transform_job": _stop_transform_job,
    "stop_processing_job": _stop_processing_job,
    "delete_training_job": _deleting("training_jobs", "TrainingJobName"),
    "delete_processing_job": _deleting("processing_jobs", "ProcessingJobName"),
}
"""Operations that moto lacks or does otherwise than AWS, by the names of its methods."""
