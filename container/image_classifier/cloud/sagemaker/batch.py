"""CreateTransformJob: the images below an S3 prefix, one a request, each with an answer of its own."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from image_classifier.cloud.s3 import Location
from image_classifier.cloud.sagemaker.calls import Call
from image_classifier.cloud.sagemaker.kinds import MODEL
from image_classifier.cloud.sagemaker.option_reading import read, reject
from image_classifier.cloud.sagemaker.options import TrainingOptions
from image_classifier.cloud.sagemaker.tags import tags
from image_classifier.contract.declaration import Declaration, declarations_of, declare
from image_classifier.contract.payload_types import ANY_IMAGE

LOG_GROUP = "/aws/sagemaker/TransformJobs"
SUFFIX = ".out"
"""Of an answer's key, behind the image's."""
_SINCE: dict[str, Any] = {"since": "0.5", "builtin": False}


@dataclass(frozen=True, kw_only=True)
class BatchOptions:
    """How a bucket of images is classified."""

    batch_instance_type: str = declare("ml.c5.xlarge", **_SINCE, meaning="Type of the instances.")
    instances: int = declare(1, **_SINCE, minimum=1, meaning="Number of instances that share the images.")
    largest_mb: int = declare(
        20, **_SINCE, minimum=1, maximum=100, meaning="Size of the largest image; times concurrent ones at most 100 MB."
    )
    timeout_seconds: int = declare(
        600, **_SINCE, minimum=1, maximum=3600, meaning="Seconds until an image must be answered."
    )


DECLARATIONS: tuple[Declaration, ...] = declarations_of(BatchOptions)


@dataclass(frozen=True)
class Batch:
    """Images in S3 and the model that classifies them."""

    name: str
    """Of the job and of its model."""
    experiment: str
    artefact: str
    image: str
    images: Location
    storage: Location
    accept: str
    options: TrainingOptions
    how: BatchOptions

    @property
    def answers(self) -> Location:
        """The folder of the answers."""
        return self.storage.below(f"batch/{self.name}")


def parse(given: Mapping[str, Any]) -> BatchOptions:
    """Return the options with defaults for those that are not given.

    Raises:
        UserError: One message with every problem.
    """
    found, problems = read(BatchOptions, given)
    reject(problems)
    return found


def create_transform_job(found: Batch) -> Call:
    """Return the request that starts the job."""
    how = found.how
    encrypted = {"KmsKeyId": found.options.kms_key} if found.options.kms_key else {}
    volume = {"VolumeKmsKeyId": found.options.kms_key} if found.options.kms_key else {}
    source = {"S3DataType": "S3Prefix", "S3Uri": f"{found.images.uri.rstrip('/')}/"}
    parameters = {
        "TransformJobName": found.name,
        "ModelName": found.name,
        "BatchStrategy": "SingleRecord",
        "MaxPayloadInMB": how.largest_mb,
        "ModelClientConfig": {"InvocationsTimeoutInSeconds": how.timeout_seconds, "InvocationsMaxRetries": 2},
        "TransformInput": {
            "DataSource": {"S3DataSource": source},
            "ContentType": ANY_IMAGE,
            "SplitType": "None",
        },
        "TransformOutput": {"S3OutputPath": found.answers.uri, "Accept": found.accept, **encrypted},
        "TransformResources": {
            "InstanceType": how.batch_instance_type,
            "InstanceCount": how.instances,
            **volume,
        },
        "Tags": tags(found.experiment, found.options.tag_mapping),
    }
    return Call("sagemaker", "CreateTransformJob", parameters, f"The transform job {found.name}")


def requests(found: Batch) -> list[Call]:
    """Return every request in order: the model, the job, and, when it is over, the deletion of the model."""
    container = {"Image": found.image, "ModelDataUrl": found.artefact}
    parameters = {
        "ModelName": found.name,
        "ExecutionRoleArn": found.options.role,
        "PrimaryContainer": container,
        "EnableNetworkIsolation": found.options.network_isolation,
        "Tags": tags(found.experiment, found.options.tag_mapping),
    }
    model = Call("sagemaker", "CreateModel", parameters, f"The model {found.name}")
    return [model, create_transform_job(found), MODEL.call("Delete", found.name)]
