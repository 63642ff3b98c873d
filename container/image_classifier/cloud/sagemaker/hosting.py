"""CreateModel, CreateEndpointConfig, CreateEndpoint and auto scaling: the requests of a deployment, in their order."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from image_classifier.cloud.s3 import Location
from image_classifier.cloud.sagemaker.calls import Call
from image_classifier.cloud.sagemaker.endpoint_options import ASYNCHRONOUS, MULTI_MODEL, SERVERLESS, EndpointOptions
from image_classifier.cloud.sagemaker.option_reading import items
from image_classifier.cloud.sagemaker.options import TrainingOptions
from image_classifier.cloud.sagemaker.tags import tags
from image_classifier.cloud.sagemaker.training import vpc

LOG_GROUP = "/aws/sagemaker/Endpoints"
VARIANT = "all"
_SCALED = "sagemaker:variant:DesiredInstanceCount"


@dataclass(frozen=True)
class Deployment:
    """A model that is to be served."""

    endpoint: str
    version: str
    """Name of the model and of the endpoint's configuration, one for each deployment of the endpoint."""
    experiment: str
    artefact: str
    """URI of the model's archive; of the folder of archives for many models."""
    image: str
    storage: Location
    environment: Mapping[str, str]
    options: TrainingOptions
    how: EndpointOptions
    package: str = ""
    """ARN of a registered version, which has artefact and image; empty without one."""


def create_model(found: Deployment) -> Call:
    """Return the request that makes the model."""
    container: dict[str, Any] = {"Image": found.image, "ModelDataUrl": found.artefact}
    if found.package:
        container = {"ModelPackageName": found.package}
    if found.environment:
        container["Environment"] = dict(found.environment)
    if found.how.kind == MULTI_MODEL:
        container["Mode"] = "MultiModel"
    parameters = {
        "ModelName": found.version,
        "ExecutionRoleArn": found.options.role,
        "PrimaryContainer": container,
        # Serverless endpoints have neither network isolation nor a VPC.
        **({} if found.how.kind == SERVERLESS else _network(found.options)),
        "Tags": tags(found.experiment, found.options.tag_mapping),
    }
    return Call("sagemaker", "CreateModel", parameters, f"The model {found.version}")


def _network(options: TrainingOptions) -> dict[str, Any]:
    return {"EnableNetworkIsolation": options.network_isolation, **vpc(options)}


def create_endpoint_config(found: Deployment) -> Call:
    """Return the request that makes the endpoint's configuration."""
    how = found.how
    parameters: dict[str, Any] = {
        "EndpointConfigName": found.version,
        "ProductionVariants": [{"VariantName": VARIANT, "ModelName": found.version, **_capacity(how)}],
        "Tags": tags(found.experiment, found.options.tag_mapping),
    }
    if found.options.kms_key and how.kind != SERVERLESS:
        parameters["KmsKeyId"] = found.options.kms_key
    if how.capture_percent:
        parameters["DataCaptureConfig"] = _capture(found)
    if how.kind == ASYNCHRONOUS:
        parameters["AsyncInferenceConfig"] = {"OutputConfig": _asynchronous_output(found)}
    return Call("sagemaker", "CreateEndpointConfig", parameters, f"The endpoint configuration {found.version}")


def _capacity(how: EndpointOptions) -> dict[str, Any]:
    if how.kind == SERVERLESS:
        return {"ServerlessConfig": {"MemorySizeInMB": int(how.memory_mb), "MaxConcurrency": how.max_concurrency}}
    return {
        **_types(how),
        "InitialInstanceCount": how.instances,
        "ContainerStartupHealthCheckTimeoutInSeconds": how.start_timeout_seconds,
        "ModelDataDownloadTimeoutInSeconds": how.download_timeout_seconds,
    }


def _types(how: EndpointOptions) -> dict[str, Any]:
    types = items(how.endpoint_instance_type)
    patience = {"VariantInstanceProvisionTimeoutInSeconds": how.retry_seconds} if how.retry_for else {}
    if len(types) == 1:
        return {"InstanceType": types[0], **patience}
    pools = [{"InstanceType": one, "Priority": number} for number, one in enumerate(types, 1)]
    return {"InstancePools": pools, **patience}


def _capture(found: Deployment) -> dict[str, Any]:
    return {
        "EnableCapture": True,
        "InitialSamplingPercentage": found.how.capture_percent,
        "DestinationS3Uri": found.storage.below(f"captured/{found.endpoint}").uri,
        "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
        # Images as base64, answers as text.
        "CaptureContentTypeHeader": {"JsonContentTypes": ["application/json", "application/jsonlines"]},
    }


def _asynchronous_output(found: Deployment) -> dict[str, Any]:
    folder = found.storage.below(f"answers/{found.endpoint}")
    how = found.how
    topics = {"SuccessTopic": how.success_topic, "ErrorTopic": how.error_topic}
    given = {name: topic for name, topic in topics.items() if topic}
    output: dict[str, Any] = {"S3OutputPath": folder.uri, "S3FailurePath": folder.below("failures").uri}
    return {**output, **({"NotificationConfig": given} if given else {})}


def create_endpoint(found: Deployment, exists: bool) -> Call:
    """Return the request that makes the endpoint, or that gives an existing one the new configuration."""
    parameters: dict[str, Any] = {"EndpointName": found.endpoint, "EndpointConfigName": found.version}
    if not exists:
        parameters["Tags"] = tags(found.experiment, found.options.tag_mapping)
    operation = "UpdateEndpoint" if exists else "CreateEndpoint"
    return Call("sagemaker", operation, parameters, f"The endpoint {found.endpoint}")


def scaling(found: Deployment) -> list[Call]:
    """Return the requests of auto scaling, for an endpoint that is in service; empty without it."""
    if not found.how.scales or found.how.kind == SERVERLESS:
        return []
    target = {
        "ServiceNamespace": "sagemaker",
        "ResourceId": f"endpoint/{found.endpoint}/variant/{VARIANT}",
        "ScalableDimension": _SCALED,
    }
    metric = {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"}
    limits = {"MinCapacity": found.how.instances, "MaxCapacity": found.how.max_instances}
    policy = {
        "PolicyName": f"{found.endpoint}-requests",
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": {
            "TargetValue": float(found.how.scale_at),
            "PredefinedMetricSpecification": metric,
        },
    }
    words = f"Auto scaling of {found.endpoint}"
    return [
        Call("application-autoscaling", "RegisterScalableTarget", {**target, **limits}, words),
        Call("application-autoscaling", "PutScalingPolicy", {**target, **policy}, words),
    ]


def requests(found: Deployment, exists: bool) -> list[Call]:
    """Return every request of a deployment in order."""
    return [create_model(found), create_endpoint_config(found), create_endpoint(found, exists), *scaling(found)]
