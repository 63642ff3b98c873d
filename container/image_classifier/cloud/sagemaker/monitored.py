"""An endpoint that is to be monitored: where its captured requests lie, and which model they are compared with."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from image_classifier.cloud import s3
from image_classifier.cloud.s3 import Location
from image_classifier.cloud.sagemaker import endpoints, registry, tags
from image_classifier.cloud.sagemaker.calls import Call
from image_classifier.cloud.sagemaker.kinds import ENDPOINT_CONFIG, MODEL
from image_classifier.cloud.sagemaker.session import Session
from image_classifier.contract.errors import UserError

_INPUT = ("Input", "InputAndOutput")
"""Modes of data capture that keep the images."""


@dataclass(frozen=True)
class Monitored:
    """What AWS knows of an endpoint with data capture."""

    endpoint: str
    experiment: str
    captured: Location
    """The folder of the captured lines of its first variant."""
    destination: Location
    """The folder that data capture was given."""
    artefact: str
    """URI of the model."""
    image: str
    role: str
    """ARN of the model's execution role."""


def find(session: Session, endpoint: str) -> Monitored:
    """Look up an endpoint, its configuration and its model.

    Raises:
        UserError: It does not exist, keeps no requests, or serves many models.
        PlatformError: AWS cannot be reached.
    """
    described = endpoints.described(session, endpoint)
    configuration = session.send(ENDPOINT_CONFIG.call("Describe", str(described["EndpointConfigName"])))
    destination = _destination(endpoint, configuration.get("DataCaptureConfig") or {})
    variant = configuration["ProductionVariants"][0]
    model = session.send(MODEL.call("Describe", str(variant["ModelName"])))
    container = _container(session, model)
    parameters = {"ResourceArn": str(described["EndpointArn"])}
    marks = session.send(Call("sagemaker", "ListTags", parameters, f"The tags of {endpoint}"))
    return Monitored(
        endpoint=endpoint,
        experiment=tags.as_mapping(marks["Tags"]).get(tags.EXPERIMENT, endpoint),
        captured=destination.below(f"{endpoint}/{variant['VariantName']}"),
        destination=destination,
        artefact=_artefact(endpoint, container),
        image=str(container.get("Image", "")),
        role=str(model["ExecutionRoleArn"]),
    )


def _destination(endpoint: str, capture: Mapping[str, Any]) -> Location:
    modes = [str(option.get("CaptureMode")) for option in capture.get("CaptureOptions", [])]
    if not capture.get("EnableCapture") or not any(mode in _INPUT for mode in modes):
        raise UserError(
            f"The endpoint {endpoint} keeps no requests, so that there is nothing to compare: its data capture is off. "
            f"Deploy its model again with --name {endpoint} --capture-percent 10, which replaces it without a pause."
        )
    return s3.parse(str(capture["DestinationS3Uri"]).rstrip("/"))


def _container(session: Session, model: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a model's container; of a model that was made from a registered version, that of the version."""
    found: Mapping[str, Any] = model.get("PrimaryContainer") or (model.get("Containers") or [{}])[0]
    package = found.get("ModelPackageName")
    if not package or found.get("ModelDataUrl"):
        return found
    version = session.send(registry.describe(str(package)))
    containers: list[Mapping[str, Any]] = version.get("InferenceSpecification", {}).get("Containers", [])
    return containers[0] if containers else found


def _artefact(endpoint: str, container: Mapping[str, Any]) -> str:
    source = container.get("ModelDataSource", {}).get("S3DataSource", {})
    found = str(container.get("ModelDataUrl") or source.get("S3Uri") or "")
    if container.get("Mode") == "MultiModel":
        raise UserError(
            f"The endpoint {endpoint} serves many models, and captured requests do not tell which one answered. "
            "Monitor an endpoint of one model."
        )
    if not found:
        raise UserError(f"The model of the endpoint {endpoint} has no artefact in S3, and so no drift baseline.")
    return found
