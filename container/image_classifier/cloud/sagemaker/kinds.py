"""The kinds of resources that this program makes: how ARNs, requests and answers name them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from image_classifier.cloud.sagemaker.calls import Call


@dataclass(frozen=True)
class Facts:
    """What a description says of a resource."""

    name: str
    state: str
    created: float | None


@dataclass(frozen=True)
class Kind:
    """A kind of resource, with the names that SageMaker's API has for it; other services have classes of their own."""

    arn: str
    """The part of an ARN before the name."""
    words: str
    noun: str
    """In names of operations and parameters, such as `TrainingJob` in DescribeTrainingJob."""
    status: str = ""
    """The field of its status; empty: it has no status."""
    stops: bool = False
    """Whether it runs, and can be stopped."""
    deletes: bool = True
    """Whether the API can delete it."""
    is_record: bool = False
    """Whether it is a record of a job or of a model, which costs nothing."""
    service: str = "sagemaker"
    """As ARNs name it."""

    @property
    def type_filter(self) -> str:
        """The kind as the tagging service names it."""
        return f"{self.service}:{self.arn}"

    def name_in(self, arn: str) -> str | None:
        """Return the name in an ARN of this kind; None for another kind."""
        service, resource = arn.split(":", 5)[2::3]
        kind, _, name = resource.partition("/")
        return name if (service, kind) == (self.service, self.arn) else None

    def call(self, verb: str, name: str) -> Call:
        """Return the request that applies a verb, such as Describe, to the resource of a name."""
        return Call("sagemaker", f"{verb}{self.noun}", {f"{self.noun}Name": name}, f"The {self.words} {name}")

    def facts(self, name: str, description: Mapping[str, Any]) -> Facts | None:
        """Return what an answer of its Describe operation says; None if it says that there is no such resource."""
        # ARNs of some kinds are in lower case.
        name = str(description[f"{self.noun}Name"])
        state = str(description.get(self.status, "")) if self.status else ""
        return Facts(name, state, description["CreationTime"].timestamp())


class ScheduleKind(Kind):
    """A schedule is found by its group, since groups alone have tags; deleting a group deletes its schedules."""

    def call(self, verb: str, name: str) -> Call:
        """See `Kind.call`."""
        words = f"The {self.words} {name}"
        if verb == "Delete":
            return Call("scheduler", "DeleteScheduleGroup", {"Name": name}, words)
        return Call("scheduler", "GetScheduleGroup", {"Name": name}, words)

    def facts(self, name: str, description: Mapping[str, Any]) -> Facts | None:
        """See `Kind.facts`."""
        return Facts(name, str(description["State"]), description["CreationDate"].timestamp())


class AlarmKind(Kind):
    """An alarm of CloudWatch, whose ARN has a colon before the name."""

    def name_in(self, arn: str) -> str | None:
        """See `Kind.name_in`."""
        _, _, service, _, _, resource = arn.split(":", 5)
        return resource.removeprefix("alarm:") if service == self.service else None

    def call(self, verb: str, name: str) -> Call:
        """See `Kind.call`."""
        words = f"The {self.words} {name}"
        if verb == "Delete":
            return Call("cloudwatch", "DeleteAlarms", {"AlarmNames": [name]}, words)
        return Call("cloudwatch", "DescribeAlarms", {"AlarmNames": [name]}, words)

    def facts(self, name: str, description: Mapping[str, Any]) -> Facts | None:
        """See `Kind.facts`."""
        alarms = description.get("MetricAlarms", [])
        if not alarms:
            return None
        return Facts(name, str(alarms[0]["StateValue"]), alarms[0]["AlarmConfigurationUpdatedTimestamp"].timestamp())


class TopicKind(Kind):
    """A topic of SNS, whose ARN is its name in requests, and which records no time."""

    @property
    def type_filter(self) -> str:
        """See `Kind.type_filter`."""
        return self.service

    def name_in(self, arn: str) -> str | None:
        """See `Kind.name_in`."""
        return arn if arn.split(":")[2] == self.service else None

    def call(self, verb: str, name: str) -> Call:
        """See `Kind.call`; `name` is the ARN."""
        words = f"The {self.words} {name.rpartition(':')[2]}"
        if verb == "Delete":
            return Call("sns", "DeleteTopic", {"TopicArn": name}, words)
        return Call("sns", "GetTopicAttributes", {"TopicArn": name}, words)

    def facts(self, name: str, description: Mapping[str, Any]) -> Facts | None:
        """See `Kind.facts`."""
        return Facts(name.rpartition(":")[2], "", None)


SCHEDULE = ScheduleKind("schedule-group", "drift schedule", "ScheduleGroup", service="scheduler")
ALARM = AlarmKind("alarm", "drift alarm", "Alarm", service="cloudwatch")
TOPIC = TopicKind("topic", "alarm topic", "Topic", service="sns")
ENDPOINT = Kind("endpoint", "endpoint", "Endpoint", "EndpointStatus")
ENDPOINT_CONFIG = Kind("endpoint-config", "endpoint configuration", "EndpointConfig")
MODEL = Kind("model", "model", "Model")
TRAINING_JOB = Kind("training-job", "training job", "TrainingJob", "TrainingJobStatus", stops=True, is_record=True)
TUNING_JOB = Kind(
    "hyper-parameter-tuning-job",
    "tuning job",
    "HyperParameterTuningJob",
    "HyperParameterTuningJobStatus",
    stops=True,
    is_record=True,
)
TRANSFORM_JOB = Kind(
    "transform-job", "transform job", "TransformJob", "TransformJobStatus", stops=True, deletes=False, is_record=True
)
PROCESSING_JOB = Kind(
    "processing-job", "processing job", "ProcessingJob", "ProcessingJobStatus", stops=True, is_record=True
)
PIPELINE = Kind("pipeline", "pipeline", "Pipeline", "PipelineStatus")
MODEL_PACKAGE = Kind("model-package", "model package", "ModelPackage", "ModelApprovalStatus", is_record=True)
MODEL_PACKAGE_GROUP = Kind(
    "model-package-group", "model package group", "ModelPackageGroup", "ModelPackageGroupStatus", is_record=True
)
KINDS = (
    *(SCHEDULE, ALARM, TOPIC, ENDPOINT, ENDPOINT_CONFIG, MODEL, PIPELINE),
    *(TUNING_JOB, TRAINING_JOB, TRANSFORM_JOB, PROCESSING_JOB, MODEL_PACKAGE, MODEL_PACKAGE_GROUP),
)
"""In the order in which they are deleted: what uses another one comes before it."""
