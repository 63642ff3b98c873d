"""The parts of a Processing job's request; addresses may be references of a pipeline."""

from collections.abc import Sequence
from typing import Any

from image_classifier.cloud.sagemaker.options import TrainingOptions
from image_classifier.cloud.sagemaker.training import vpc


def container_input(name: str, uri: Any, folder: str) -> dict[str, Any]:
    """Return the input that copies what lies below an S3 URI into a folder of the container."""
    source = {"S3Uri": uri, "LocalPath": folder, "S3DataType": "S3Prefix", "S3InputMode": "File"}
    return {"InputName": name, "S3Input": source}


def request(
    options: TrainingOptions,
    word: str,
    cluster: tuple[str, int],
    inputs: Sequence[dict[str, Any]],
    output: tuple[str, Any, str],
    longest: int,
) -> dict[str, Any]:
    """Return the parameters of a job on one instance that runs a word of the image.

    Args:
        options: Its image, role, network and encryption.
        word: The image's verb.
        cluster: The instance type, and its volume in GB.
        inputs: Of `container_input`.
        output: Its name, the S3 URI, and the container's folder that is copied there at the end of the job.
        longest: Seconds after which the platform stops the job.
    """
    encrypted = {"KmsKeyId": options.kms_key} if options.kms_key else {}
    volume = {"VolumeKmsKeyId": options.kms_key} if options.kms_key else {}
    instance_type, volume_gb = cluster
    name, uri, folder = output
    copied = {"OutputName": name, "S3Output": {"S3Uri": uri, "LocalPath": folder, "S3UploadMode": "EndOfJob"}}
    machine = {"InstanceCount": 1, "InstanceType": instance_type, "VolumeSizeInGB": volume_gb, **volume}
    return {
        "AppSpecification": {"ImageUri": options.image, "ContainerEntrypoint": [word]},
        "RoleArn": options.role,
        "ProcessingInputs": list(inputs),
        "ProcessingOutputConfig": {"Outputs": [copied], **encrypted},
        "ProcessingResources": {"ClusterConfig": machine},
        "NetworkConfig": {"EnableNetworkIsolation": options.network_isolation, **vpc(options)},
        "StoppingCondition": {"MaxRuntimeInSeconds": longest},
    }
