"""The model registry: groups of versions, how a user names a version, and which of them is deployed."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from image_classifier.cloud.sagemaker import tags
from image_classifier.cloud.sagemaker.calls import Call
from image_classifier.cloud.sagemaker.session import Session
from image_classifier.contract.errors import UserError

APPROVED, PENDING, REJECTED = STATUSES = ("Approved", "PendingManualApproval", "Rejected")
_REFERENCE = re.compile(r"(?P<group>[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62})(:(?P<version>[1-9][0-9]{0,8}))?")
_ARN = re.compile(
    r"arn:aws[a-z-]*:sagemaker:[a-z0-9-]+:[0-9]{12}:model-package/(?P<name>[a-zA-Z0-9-]{1,63})/[0-9]{1,9}"
)


@dataclass(frozen=True)
class Registered:
    """A version that the registry has."""

    arn: str
    approval: str
    description: Mapping[str, Any]
    """The answer of DescribeModelPackage."""

    @property
    def name(self) -> str:
        """The group and the version, such as flowers:3, as commands take it."""
        group, _, version = self.arn.partition(":model-package/")[2].partition("/")
        return f"{group}:{version}"

    @property
    def artefact(self) -> str:
        """URI of its archive; empty if it has several containers or none."""
        containers = self.description.get("InferenceSpecification", {}).get("Containers", [])
        return str(containers[0].get("ModelDataUrl", "")) if len(containers) == 1 else ""

    @property
    def metadata(self) -> Mapping[str, str]:
        """Its CustomerMetadataProperties."""
        found: Mapping[str, str] = self.description.get("CustomerMetadataProperties") or {}
        return found

    @property
    def is_ours(self) -> bool:
        """Whether this program registered it: versions have no tags of their own, only those of their group."""
        return self.metadata.get(tags.CREATED_BY) == tags.PROGRAM_NAME

    @property
    def experiment(self) -> str:
        """The experiment that this program registered it for; empty without one."""
        return self.metadata.get(tags.EXPERIMENT, "")

    @property
    def has_card(self) -> bool:
        """Whether it has a model card."""
        return bool(self.description.get("ModelCard"))

    @property
    def evaluation(self) -> str:
        """URI of its `evaluation.json`; empty without one."""
        quality = (self.description.get("ModelMetrics") or {}).get("ModelQuality") or {}
        return str((quality.get("Statistics") or {}).get("S3Uri", ""))


@dataclass(frozen=True)
class Reference:
    """A version as a user names it: an ARN, GROUP:VERSION, or GROUP for its newest approved version."""

    group: str
    version: str = ""
    arn: str = ""

    def region(self, given: str) -> str:
        """Return the region of the ARN, or the one that was given for a version without an ARN.

        Raises:
            UserError: Both are given and differ.
        """
        own = self.arn.split(":")[3] if self.arn else ""
        if own and given and own != given:
            raise UserError(f"The version {self.arn} lies in {own}, and the region is {given}. Give --region {own}.")
        return own or given

    def arn_in(self, region: str, role: str) -> str:
        """Return the ARN; of GROUP:VERSION in the region, in the partition and the account of the execution role."""
        parts = role.split(":")
        return self.arn or f"arn:{parts[1]}:sagemaker:{region}:{parts[4]}:model-package/{self.group}/{self.version}"


def reference(text: str) -> Reference | None:
    """Return the version that a text names; None if it has another form."""
    if found := _ARN.fullmatch(text):
        return Reference(found["name"], arn=text)
    found = _REFERENCE.fullmatch(text)
    return Reference(found["group"], found["version"] or "") if found else None


def describe_group(group: str) -> Call:
    """Return the request that describes a group."""
    parameters = {"ModelPackageGroupName": group}
    return Call("sagemaker", "DescribeModelPackageGroup", parameters, f"The model package group {group}")


def describe(arn: str) -> Call:
    """Return the request that describes a version."""
    return Call("sagemaker", "DescribeModelPackage", {"ModelPackageName": arn}, f"The model package {arn}")


def approve(arn: str, status: str) -> Call:
    """Return the request that gives a version another approval status."""
    parameters = {"ModelPackageArn": arn, "ModelApprovalStatus": status}
    return Call("sagemaker", "UpdateModelPackage", parameters, f"The model package {arn}")


def versions(session: Session, group: str, approval: str = "") -> Iterator[Registered]:
    """Yield the versions of a group, the newest first; of one approval status or of all.

    Raises:
        ExplainedError: AWS rejects a request or cannot be reached.
    """
    parameters = {"ModelPackageGroupName": group, "SortBy": "CreationTime", "SortOrder": "Descending"}
    if approval:
        parameters["ModelApprovalStatus"] = approval
    call = Call("sagemaker", "ListModelPackages", parameters, f"The versions of {group}")
    for summary in session.pages(call, "ModelPackageSummaryList"):
        if (found := find(session, str(summary["ModelPackageArn"]))) is not None:
            yield found


def find(session: Session, arn: str) -> Registered | None:
    """Return a version; None if it does not exist.

    Raises:
        ExplainedError: AWS rejects the request or cannot be reached.
    """
    description = session.find(describe(arn))
    if description is None:
        return None
    return Registered(arn, str(description.get("ModelApprovalStatus", "")), description)


def resolve(session: Session, asked: Reference, role: str, allow_unapproved: bool) -> Registered:
    """Return the version that is to be deployed.

    Raises:
        UserError: It does not exist, is not approved, or no version of the group is approved.
    """
    if not (asked.arn or asked.version):
        found = next(versions(session, asked.group, "" if allow_unapproved else APPROVED), None)
        if found is None:
            raise UserError(
                f"{asked.group} is neither a model on this machine nor a model package group with an approved version "
                f"in {session.region}. scripts/launch status lists groups and versions; "
                f"scripts/launch register {asked.group}:VERSION --approve approves one."
            )
        return found
    found = find(session, asked.arn_in(session.region, role))
    if found is None:
        raise UserError(
            f"{asked.group} has no version {asked.version or asked.arn} in {session.region}. "
            "scripts/launch status lists versions."
        )
    if found.approval != APPROVED and not allow_unapproved:
        raise UserError(
            f"{found.name} is {found.approval or 'not approved'}, so that it is not deployed: approve it with "
            f"scripts/launch register {found.name} --approve, or give --allow-unapproved."
        )
    return found
