"""CreateTrainingJob: channels, metric definitions and the time budget come from the declarations."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from image_classifier.cloud.s3 import Location
from image_classifier.cloud.sagemaker.calls import Call
from image_classifier.cloud.sagemaker.option_reading import items
from image_classifier.cloud.sagemaker.options import TrainingOptions
from image_classifier.cloud.sagemaker.tags import tags
from image_classifier.contract import hyperparameters, metrics
from image_classifier.contract.channels import CHANNELS
from image_classifier.contract.errors import UserError

LOG_GROUP = "/aws/sagemaker/TrainingJobs"


@dataclass(frozen=True)
class TrainingJob:
    """A job whose inputs lie in S3."""

    name: str
    experiment: str
    channels: Mapping[str, str]
    """S3 URI of a folder or of an object, by the name of the channel."""
    hyperparameters: Mapping[str, str]
    storage: Location
    """The folder below which results and checkpoints are written."""
    checkpoints: str
    """Name of the folder of checkpoints; the job resumes from what lies there."""
    options: TrainingOptions

    @property
    def results(self) -> Location:
        """The folder of all jobs' results."""
        return self.storage.below("jobs")

    @property
    def checkpoint_folder(self) -> Location:
        """The folder of this job's checkpoints."""
        return self.storage.below(f"checkpoints/{self.checkpoints}")


def create_training_job(job: TrainingJob) -> Call:
    """Return the request that starts a job.

    Raises:
        UserError: A hyperparameter is invalid, or needs the network that the job does not have.
    """
    options = job.options
    parameters: dict[str, Any] = {
        "TrainingJobName": job.name,
        "RoleArn": options.role,
        "HyperParameters": with_time_budget(job),
        **definition(job),
        "Tags": tags(job.experiment, options.tag_mapping),
    }
    if _values(job).tensorboard:
        events = job.storage.below(f"tensorboard/{job.name}").uri
        parameters["TensorBoardOutputConfig"] = {"S3OutputPath": events}
    return Call("sagemaker", "CreateTrainingJob", parameters, f"The training job {job.name}")


def definition(job: TrainingJob) -> dict[str, Any]:
    """Return what a training job and the jobs of a tuning job have in common."""
    options = job.options
    encrypted = {"KmsKeyId": options.kms_key} if options.kms_key else {}
    volume = {"VolumeKmsKeyId": options.kms_key} if options.kms_key else {}
    warm = {"KeepAlivePeriodInSeconds": options.keep_alive_seconds} if options.keep_alive_seconds else {}
    stopping = {"MaxRuntimeInSeconds": options.max_runtime_seconds}
    if options.spot:
        stopping["MaxWaitTimeInSeconds"] = options.wait_seconds
    found: dict[str, Any] = {
        "AlgorithmSpecification": {
            "TrainingImage": options.image,
            "TrainingInputMode": options.input_mode,
            "MetricDefinitions": metrics.definitions(),
        },
        "InputDataConfig": [_channel(name, uri, options.input_mode) for name, uri in job.channels.items()],
        "OutputDataConfig": {"S3OutputPath": job.results.uri, **encrypted},
        "ResourceConfig": {
            **_types(options),
            "InstanceCount": options.instance_count,
            "VolumeSizeInGB": options.volume_gb,
            **volume,
            **warm,
        },
        "StoppingCondition": stopping,
        "CheckpointConfig": {"S3Uri": job.checkpoint_folder.uri},
        "EnableManagedSpotTraining": options.spot,
        "EnableNetworkIsolation": options.network_isolation,
        "EnableInterContainerTrafficEncryption": options.encrypt_traffic,
    }
    return {**found, **vpc(options)}


def _types(options: TrainingOptions) -> dict[str, Any]:
    types = items(options.instance_type)
    if len(types) == 1:
        return {"InstanceType": types[0]}
    return {"InstancePreferences": [{"InstanceType": one} for one in types]}


def vpc(options: TrainingOptions) -> dict[str, Any]:
    """Return VpcConfig, if a VPC is given."""
    if not options.subnets:
        return {}
    return {"VpcConfig": {"Subnets": items(options.subnets), "SecurityGroupIds": items(options.security_groups)}}


def with_time_budget(job: TrainingJob) -> dict[str, str]:
    """Return the hyperparameters, with max_runtime from the platform's limit unless it is given."""
    if _values(job).max_runtime:
        return dict(job.hyperparameters)
    return {**job.hyperparameters, "max_runtime": str(job.options.runtime_of_the_program)}


def _values(job: TrainingJob) -> hyperparameters.Hyperparameters:
    values = hyperparameters.parse(dict(job.hyperparameters)).values
    if values.model_uri and job.options.network_isolation:
        raise UserError(
            "model_uri is fetched by the job, which has no network: network_isolation is on. Turn it off, or give the "
            "model as the experiment's model, which becomes a channel."
        )
    return values


def _channel(name: str, uri: str, input_mode: str) -> dict[str, Any]:
    declared = next(channel for channel in CHANNELS if channel.name == name)
    source = {"S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}
    return {
        "ChannelName": name,
        "ContentType": declared.content_types[0],
        "InputMode": input_mode,
        "DataSource": {"S3DataSource": source},
    }
