"""The step between training and registration: the image's verb `gate` reads the job's report for the condition."""

from typing import Any

from image_classifier.cloud.sagemaker.pipelines import references
from image_classifier.cloud.sagemaker.processing import container_input, request
from image_classifier.cloud.sagemaker.tags import tags
from image_classifier.cloud.sagemaker.training import TrainingJob
from image_classifier.contract import gate_files

TRAIN, JUDGE = "Train", "Judge"
"""Names of steps."""
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
    folder = job.storage.below(f"judged/{job.name}").uri
    output = (_OUTPUT, references.join("/", folder, references.get(references.EXECUTION)), _OUTPUT_FOLDER)
    model = references.get(f"Steps.{TRAIN}.ModelArtifacts.S3ModelArtifacts")
    taken = {gate_files.MODEL: model, gate_files.REPORTS: _reports()}
    inputs = [container_input(name, uri, f"{_INPUT_FOLDER}/{name}") for name, uri in taken.items()]
    arguments = {
        **request(options, gate_files.ENTRY_POINT, (instance_type, _VOLUME_GB), inputs, output, _LONGEST),
        "Tags": tags(job.experiment, options.tag_mapping),
    }
    files = [{"PropertyFileName": _PROPERTY_FILE, "OutputName": _OUTPUT, "FilePath": gate_files.FIGURES}]
    return {"Name": JUDGE, "Type": "Processing", "Arguments": arguments, "PropertyFiles": files}


def _reports() -> dict[str, Any]:
    """Return the URI of the training job's reports, which the platform puts beside the model."""
    folder = references.get(f"Steps.{TRAIN}.OutputDataConfig.S3OutputPath")
    return references.join("/", folder, references.get(f"Steps.{TRAIN}.TrainingJobName"), "output/output.tar.gz")
