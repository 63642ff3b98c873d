"""Everything on AWS that this program made, found by its tags, each with its kind, state and age."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from image_classifier.cloud.sagemaker import tags
from image_classifier.cloud.sagemaker.calls import Call
from image_classifier.cloud.sagemaker.session import Session


@dataclass(frozen=True)
class Kind:
    """A kind of resource, with the names that SageMaker's API has for it."""

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
    """Whether it is a record of a job, which costs nothing."""

    def call(self, verb: str, name: str) -> Call:
        """Return the request that applies a verb, such as Describe, to the resource of a name."""
        return Call("sagemaker", f"{verb}{self.noun}", {f"{self.noun}Name": name}, f"The {self.words} {name}")


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
KINDS = (ENDPOINT, ENDPOINT_CONFIG, MODEL, TUNING_JOB, TRAINING_JOB, TRANSFORM_JOB)
"""In the order in which they are deleted: what uses another one comes before it."""
RUNNING = ("InProgress", "Stopping", "Creating", "Updating", "InService", "SystemUpdating", "RollingBack")
"""States that may cost money."""


@dataclass(frozen=True)
class Resource:
    """One resource that this program made."""

    kind: Kind
    name: str
    arn: str
    experiment: str
    state: str
    """The API's word; empty for what has no state."""
    created: float
    """Unix time."""
    description: Mapping[str, Any]
    """The answer of its Describe operation."""

    @property
    def is_running(self) -> bool:
        """Whether it is at work, and so may cost money."""
        return self.state in RUNNING


def find(session: Session, experiment: str = "") -> list[Resource]:
    """Return what this program made in the region, for one experiment or all, in the order of `KINDS`, oldest first.

    Raises:
        ExplainedError: AWS rejects a request or cannot be reached.
    """
    found = list(_described(session, experiment))
    return sorted(found, key=lambda resource: (KINDS.index(resource.kind), resource.created, resource.name))


def _described(session: Session, experiment: str) -> Iterator[Resource]:
    filters = [{"Key": tags.CREATED_BY, "Values": [tags.PROGRAM_NAME]}]
    if experiment:
        filters.append({"Key": tags.EXPERIMENT, "Values": [experiment]})
    parameters = {"TagFilters": filters, "ResourceTypeFilters": [f"sagemaker:{kind.arn}" for kind in KINDS]}
    call = Call(
        "resourcegroupstaggingapi", "GetResources", parameters, "The list of resources with this program's tags"
    )
    for entry in session.pages(call, "ResourceTagMappingList"):
        resource = _described_one(session, entry["ResourceARN"], tags.as_mapping(entry["Tags"]))
        if resource:
            yield resource


def _described_one(session: Session, arn: str, found: Mapping[str, str]) -> Resource | None:
    """Return the resource of an ARN; None if it has gone, which the tagging service notices later."""
    resource_type, _, name = arn.rpartition(":")[2].partition("/")
    kind = next((kind for kind in KINDS if kind.arn == resource_type), None)
    description = session.find(kind.call("Describe", name)) if kind else None
    if kind is None or description is None:
        return None
    # ARNs of some kinds are in lower case.
    name = str(description[f"{kind.noun}Name"])
    return Resource(
        kind=kind,
        name=name,
        arn=arn,
        experiment=found.get(tags.EXPERIMENT, ""),
        state=str(description.get(kind.status, "")) if kind.status else "",
        created=description["CreationTime"].timestamp(),
        description=description,
    )
