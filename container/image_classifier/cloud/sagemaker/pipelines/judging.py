"""The step between training and registration: the image's verb `gate` reads the job's report for the condition."""

from typing import Any

from image_classifier.cloud.sagemaker.pipelines import references
from image_classifier.cloud.sagemaker.tags import tags
from image_classifier.cloud.sagemaker.training import TrainingJob, vpc
from image_classifier.contract import report_files

TRAIN, JUDGE = "Train", "Judge"
"""Names of steps."""
FILE = "gate.json"
EVALUATION = report_files.MODEL_QUALITY
BASELINES = ("statistics.json", "constraints.json")
"""Files that the verb writes."""
ACCURACY, MARGIN, OPENVINO = "accuracy_low", "margin_over_best_constant", "has_openvino"
"""Keys of its first one, which conditions read."""
_PROPERTY_FILE = "Figures"
_OUTPUT = "reports"
_INPUT_FOLDER, _OUTPUT_FOLDER = "/opt/ml/processing/input", "/opt/ml/processing/output"
_LONGEST = 1_800
"""Seconds; the verb needs a few, after the downloads."""
_VOLUME_GB = 30


def value(key: str) -> dict[str, Any]:
    """Return a figure, for conditions."""
    return references.json_value(JUDGE, _PROPERTY_FILE, key)


def file(name: str) -> dict[str, Any]:
    """Return the S3 URI of a file that the step writes."""
    folder = references.get(f"Steps.{JUDGE}.ProcessingOutputConfig.Outputs['{_OUTPUT}'].S3Output.S3Uri")
    return references.join("/", folder, name)


def step(job: TrainingJob, instance_type: str) -> dict[str, Any]:
    """Return the Processing step."""
    options = job.options
    encrypted = {"KmsKeyId": options.kms_key} if options.kms_key else {}
    volume = {"VolumeKmsKeyId": options.kms_key} if options.kms_key else {}
    cluster = {"InstanceCount": 1, "InstanceType": instance_type, "VolumeSizeInGB": _VOLUME_GB, **volume}
    arguments = {
        "ProcessingResources": {"ClusterConfig": cluster},
        "AppSpecification": {"ImageUri": options.image, "ContainerEntrypoint": ["gate"]},
        "RoleArn": options.role,
        "ProcessingInputs": [
            _input("model", references.get(f"Steps.{TRAIN}.ModelArtifacts.S3ModelArtifacts")),
            _input("reports", _reports()),
        ],
        "ProcessingOutputConfig": {"Outputs": [_output(job)], **encrypted},
        "NetworkConfig": {"EnableNetworkIsolation": options.network_isolation, **vpc(options)},
        "StoppingCondition": {"MaxRuntimeInSeconds": _LONGEST},
        "Tags": tags(job.experiment, options.tag_mapping),
    }
    files = [{"PropertyFileName": _PROPERTY_FILE, "OutputName": _OUTPUT, "FilePath": FILE}]
    return {"Name": JUDGE, "Type": "Processing", "Arguments": arguments, "PropertyFiles": files}


def _reports() -> dict[str, Any]:
    """Return the URI of the training job's reports, which the platform puts beside the model."""
    folder = references.get(f"Steps.{TRAIN}.OutputDataConfig.S3OutputPath")
    return references.join("/", folder, references.get(f"Steps.{TRAIN}.TrainingJobName"), "output/output.tar.gz")


def _input(name: str, uri: dict[str, Any]) -> dict[str, Any]:
    source = {"S3Uri": uri, "LocalPath": f"{_INPUT_FOLDER}/{name}", "S3DataType": "S3Prefix", "S3InputMode": "File"}
    return {"InputName": name, "S3Input": source}


def _output(job: TrainingJob) -> dict[str, Any]:
    folder = job.storage.below(f"judged/{job.name}").uri
    uri = references.join("/", folder, references.get(references.EXECUTION))
    output = {"S3Uri": uri, "LocalPath": _OUTPUT_FOLDER, "S3UploadMode": "EndOfJob"}
    return {"OutputName": _OUTPUT, "S3Output": output}
