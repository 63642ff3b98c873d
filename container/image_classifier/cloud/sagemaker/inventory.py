"""Everything on AWS that this program made, found by its tags, each with its kind, state and age."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from image_classifier.cloud.sagemaker import registry, tags
from image_classifier.cloud.sagemaker.calls import Call
from image_classifier.cloud.sagemaker.kinds import KINDS, MODEL_PACKAGE, MODEL_PACKAGE_GROUP, Kind
from image_classifier.cloud.sagemaker.session import Session

RUNNING = ("InProgress", "Stopping", "Creating", "Updating", "InService", "SystemUpdating", "RollingBack")
"""States that may cost money."""


@dataclass(frozen=True)
class Resource:
    """One resource that this program made."""

    kind: Kind
    name: str
    key: str
    """Its name in requests; that of a topic and of a model package is its ARN."""
    arn: str
    experiment: str
    state: str
    """The API's word; empty for what has no state."""
    created: float | None
    """Unix time; None for what has none."""
    description: Mapping[str, Any]
    """The answer of its Describe operation."""

    @property
    def is_running(self) -> bool:
        """Whether it is running, and so may cost money."""
        return self.state in RUNNING


def find(session: Session, experiment: str = "") -> list[Resource]:
    """Return what this program made in the region, for one experiment or all, in the order of `KINDS`, oldest first.

    Raises:
        ExplainedError: AWS rejects a request or cannot be reached.
    """
    found = list(_described(session, experiment))
    groups = [resource for resource in found if resource.kind == MODEL_PACKAGE_GROUP]
    found += [version for group in groups for version in _versions(session, group)]
    return sorted(found, key=lambda resource: (KINDS.index(resource.kind), resource.created or 0, resource.name))


def _described(session: Session, experiment: str) -> Iterator[Resource]:
    filters = [{"Key": tags.CREATED_BY, "Values": [tags.PROGRAM_NAME]}]
    if experiment:
        filters.append({"Key": tags.EXPERIMENT, "Values": [experiment]})
    tagged = [kind for kind in KINDS if kind != MODEL_PACKAGE]
    parameters = {"TagFilters": filters, "ResourceTypeFilters": [kind.type_filter for kind in tagged]}
    call = Call(
        "resourcegroupstaggingapi", "GetResources", parameters, "The list of resources with this program's tags"
    )
    for entry in session.pages(call, "ResourceTagMappingList"):
        resource = _described_one(session, entry["ResourceARN"], tags.as_mapping(entry["Tags"]))
        if resource:
            yield resource


def _described_one(session: Session, arn: str, found: Mapping[str, str]) -> Resource | None:
    """Return the resource of an ARN; None if it has gone, which the tagging service notices later."""
    kind, name = next(((kind, name) for kind in KINDS if (name := kind.name_in(arn))), (None, ""))
    description = session.find(kind.call("Describe", name)) if kind else None
    facts = kind.facts(name, description) if kind and description is not None else None
    if kind is None or facts is None:
        return None
    return Resource(
        kind=kind,
        name=facts.name,
        key=facts.name if kind.service == "sagemaker" else name,
        arn=arn,
        experiment=found.get(tags.EXPERIMENT, ""),
        state=facts.state,
        created=facts.created,
        description=description or {},
    )


def _versions(session: Session, group: Resource) -> Iterator[Resource]:
    """Yield what this program registered in a group; versions have no tags of their own."""
    for found in registry.versions(session, group.name):
        if found.is_ours:
            yield Resource(
                kind=MODEL_PACKAGE,
                name=found.name,
                key=found.arn,
                arn=found.arn,
                experiment=group.experiment,
                state=found.approval,
                created=found.description["CreationTime"].timestamp(),
                description=found.description,
            )
