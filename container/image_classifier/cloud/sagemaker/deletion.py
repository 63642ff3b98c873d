"""Delete what this program made: what uses another resource comes first, and jobs are stopped before."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from image_classifier.cloud.sagemaker import executions, registry, tags, waiting
from image_classifier.cloud.sagemaker.calls import Call
from image_classifier.cloud.sagemaker.inventory import Resource
from image_classifier.cloud.sagemaker.kinds import ENDPOINT, KINDS, MODEL_PACKAGE_GROUP, PIPELINE
from image_classifier.cloud.sagemaker.session import Session

_UNTAG = "Untag"


@dataclass(frozen=True)
class Step:
    """What happens to one resource."""

    resource: Resource
    verb: str
    """Stop, Delete, or Untag for a record that the API cannot delete."""

    @property
    def words(self) -> str:
        """What the step does, in words."""
        return f"{self.verb.lower()} {self.resource.kind.words} {self.resource.name}"

    @property
    def call(self) -> Call:
        """The request of the step."""
        if self.verb == _UNTAG:
            words = f"The tags of the {self.resource.kind.words} {self.resource.name}"
            return Call(
                "sagemaker", "DeleteTags", {"ResourceArn": self.resource.arn, "TagKeys": list(tags.OURS)}, words
            )
        return self.resource.kind.call(self.verb, self.resource.key)


def plan(resources: Sequence[Resource], with_records: bool) -> list[Step]:
    """Return the steps in order; finished jobs, which cost nothing, stay unless `with_records`.

    Records that the API cannot delete lose the tags by which this program finds what it made.
    """
    steps: list[Step] = []
    for kind in KINDS:
        for resource in (each for each in resources if each.kind == kind):
            if kind.stops and resource.is_running:
                steps.append(Step(resource, "Stop"))
            if with_records or not kind.is_record:
                steps.append(Step(resource, "Delete" if kind.deletes else _UNTAG))
    return steps


def run(session: Session, steps: Sequence[Step], announce: Callable[[str], None]) -> None:
    """Take the steps; what has gone meanwhile counts as done.

    Raises:
        ExplainedError: AWS rejects a request, or something does not end in time; the same command resumes.
    """
    for step in steps:
        announce(f"{step.words[0].upper()}{step.words[1:]}")
        if step.resource.kind == ENDPOINT:
            _remove_scaling(session, step.resource)
        elif step.resource.kind == PIPELINE:
            # A pipeline with a running execution cannot be deleted.
            executions.stop_all(session, step.resource.name)
        elif step.resource.kind == MODEL_PACKAGE_GROUP and (left := _left(session, step.resource)):
            announce(f"It stays, since it holds versions that are not deleted: {left}")
            continue
        session.find(step.call)
        if step.verb == "Stop" or step.resource.kind == ENDPOINT:
            _wait(session, step)


def _left(session: Session, group: Resource) -> str:
    """Return the names of the versions of a group; empty without one, or if the group has gone."""
    if session.find(group.kind.call("Describe", group.key)) is None:
        return ""
    return ", ".join(version.name for version in registry.versions(session, group.name))


def _wait(session: Session, step: Step) -> None:
    resource = step.resource

    def look() -> bool | None:
        found = session.find(resource.kind.call("Describe", resource.key))
        state = None if found is None else str(found[resource.kind.status])
        is_over = state is None or (step.verb == "Stop" and state not in ("InProgress", "Stopping"))
        return True if is_over else None

    waiting.until_ended(look, f"The {resource.kind.words} {resource.name}")


def _remove_scaling(session: Session, endpoint: Resource) -> None:
    """Deregister the scalable targets of an endpoint, which would otherwise stay without it."""
    for variant in endpoint.description.get("ProductionVariants", []):
        target = f"endpoint/{endpoint.name}/variant/{variant['VariantName']}"
        session.find(
            Call(
                "application-autoscaling",
                "DeregisterScalableTarget",
                {
                    "ServiceNamespace": "sagemaker",
                    "ResourceId": target,
                    "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
                },
                f"Auto scaling of {endpoint.name}",
            )
        )
