"""Requests that register a model: a group, and a version with artefact, image, evaluation, model card and metadata."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from image_classifier.cloud.sagemaker import tags
from image_classifier.cloud.sagemaker.calls import Call
from image_classifier.cloud.sagemaker.options import TrainingOptions
from image_classifier.cloud.sagemaker.registry import Registered
from image_classifier.contract.payload_types import REQUEST_TYPES, RESPONSE_TYPES

_BRACKETS = dict.fromkeys(map(ord, "()[]“”"))
_LONGEST_VALUE, _LONGEST_DESCRIPTION = 256, 1024


@dataclass(frozen=True)
class S3File:
    """A JSON file of a version in S3."""

    uri: str
    sha256: str = ""
    """Hexadecimal; empty: not known."""

    def as_source(self) -> dict[str, str]:
        """Return the file as the API names it."""
        digest = {"ContentDigest": f"sha256:{self.sha256}"} if self.sha256 else {}
        return {"ContentType": "application/json", "S3Uri": self.uri, **digest}


@dataclass(frozen=True, kw_only=True)
class Version:
    """A model that is to be registered."""

    group: str
    experiment: str
    artefact: str
    """URI of its archive."""
    image: str
    approval: str
    """One of `registry.STATUSES`."""
    description: str
    evaluation: S3File
    """`evaluation.json`."""
    statistics: S3File | None = None
    """`statistics.json` of its drift baseline."""
    constraints: S3File | None = None
    card: str = ""
    """Content of the model card; empty without one."""
    properties: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    options: TrainingOptions


def create_group(group: str, experiment: str, options: TrainingOptions) -> Call:
    """Return the request that makes a group, which gives its tags to its versions."""
    parameters = {
        "ModelPackageGroupName": group,
        "ModelPackageGroupDescription": f"Image classifiers of the experiment {experiment}",
        "Tags": tags.tags(experiment, options.tag_mapping),
    }
    return Call("sagemaker", "CreateModelPackageGroup", parameters, f"The model package group {group}")


def create_version(found: Version) -> Call:
    """Return the request that registers a version; versions of a group take no tags."""
    card = {"ModelCard": _draft(found.card)} if found.card else {}
    parameters = {
        "ModelPackageGroupName": found.group,
        "ModelPackageDescription": found.description[:_LONGEST_DESCRIPTION],
        "InferenceSpecification": inference(found.image, found.artefact),
        "ModelMetrics": {"ModelQuality": {"Statistics": found.evaluation.as_source()}},
        **drift_baselines(found.statistics, found.constraints),
        **card,
        "ModelApprovalStatus": found.approval,
        "Domain": "COMPUTER_VISION",
        "Task": "IMAGE_CLASSIFICATION",
        "CustomerMetadataProperties": properties(found.experiment, found.properties),
    }
    return Call("sagemaker", "CreateModelPackage", parameters, f"A version of {found.group}")


def complete(found: Registered, card: str, others: Mapping[str, str]) -> Call:
    """Return the request that adds a model card and metadata to a version that lacks them."""
    parameters: dict[str, Any] = {
        "ModelPackageArn": found.arn,
        "CustomerMetadataProperties": {**found.metadata, **properties(found.experiment, others)},
    }
    if card:
        parameters["ModelCard"] = _draft(card)
    return Call("sagemaker", "UpdateModelPackage", parameters, f"The model package {found.arn}")


def inference(image: Any, artefact: Any) -> dict[str, Any]:
    """Return the InferenceSpecification of one container; in a pipeline its parts may be references."""
    return {
        "Containers": [{"Image": image, "ModelDataUrl": artefact}],
        "SupportedContentTypes": list(REQUEST_TYPES),
        "SupportedResponseMIMETypes": list(RESPONSE_TYPES),
    }


def drift_baselines(statistics: S3File | None, constraints: S3File | None) -> dict[str, Any]:
    """Return DriftCheckBaselines, if there are files."""
    if statistics is None or constraints is None:
        return {}
    files = {"Statistics": statistics.as_source(), "Constraints": constraints.as_source()}
    return {"DriftCheckBaselines": {"ModelDataQuality": files}}


def properties(experiment: str, others: Mapping[str, str]) -> dict[str, str]:
    """Return the metadata of a version, whose values may have letters, digits, spaces and a few signs alone."""
    ours = {tag["Key"]: tag["Value"] for tag in tags.tags(experiment, {})}
    return {name: _plain(value) for name, value in {**ours, **others}.items() if _plain(value)}


def _draft(card: str) -> dict[str, str]:
    return {"ModelCardContent": card, "ModelCardStatus": "Draft"}


def _plain(value: str) -> str:
    written = value.replace("%", "percent").translate(_BRACKETS)
    kept = "".join(sign if sign.isalnum() or sign in "_.:/=+-@" else " " for sign in written)
    return " ".join(kept.split())[:_LONGEST_VALUE].rstrip()
