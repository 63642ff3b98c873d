"""Endpoints and batches of the SageMaker on this machine, which answer with this program's own server.

moto answers what a test queues. Here the artefact of an endpoint's model is fetched from S3, unpacked and served.
"""

import io
import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from flask import Flask
from werkzeug.test import EnvironBuilder

from image_classifier import archives
from image_classifier.inference.predictor import Predictor
from image_classifier.serving.app import create_app
from image_classifier.serving.settings import ServingSettings
from tests.support.sagemaker_service import SageMakerService

_PATH = "/invocations"


@dataclass(frozen=True)
class _Loaded:
    predictor: Predictor
    ready_at: float = 0.0


class Hosting:
    """A WSGI application for the requests of `sagemaker-runtime`, and what runs the images of a transform job."""

    def __init__(self, service: SageMakerService, scratch: Path) -> None:
        self._service = service
        self._scratch = scratch
        self._apps: dict[str, Flask] = {}
        """By the URIs of their artefacts."""

    def __call__(self, environment: dict[str, Any], start: Any) -> Iterable[bytes]:
        """Answer `/endpoints/NAME/invocations` and `/endpoints/NAME/async-invocations`."""
        name = environment["PATH_INFO"].split("/")[2]
        endpoint = boto3.client("sagemaker").describe_endpoint(EndpointName=name)
        config = self._service.backend.endpoint_configs[endpoint["EndpointConfigName"]]
        app = self._app(config.production_variants[0]["ModelName"])
        if not environment["PATH_INFO"].endswith("/async-invocations"):
            # The server reads to the end of the body, which here is that of the connection.
            body = io.BytesIO(environment["wsgi.input"].read(int(environment["CONTENT_LENGTH"])))
            return _invoked(app, {**environment, "PATH_INFO": _PATH, "wsgi.input": body}, start)
        source = environment["HTTP_X_AMZN_SAGEMAKER_INPUTLOCATION"]
        accept = environment["HTTP_X_AMZN_SAGEMAKER_ACCEPT"]
        folder = config.async_inference_config["OutputConfig"]["S3OutputPath"]
        target = f"{folder}/{uuid.uuid4()}.out"
        _put(target, _ask(app, _get(source), environment["HTTP_X_AMZN_SAGEMAKER_CONTENT_TYPE"], accept))
        start("202 Accepted", [("Content-Type", "application/json"), ("X-Amzn-SageMaker-OutputLocation", target)])
        return [b"{}"]

    def transform(self, job: dict[str, Any]) -> None:
        """Classify the images of a CreateTransformJob request; each answer lies where the platform puts it."""
        app = self._app(job["ModelName"])
        given, wanted = job["TransformInput"], job["TransformOutput"]
        source = given["DataSource"]["S3DataSource"]["S3Uri"]
        bucket, _, prefix = source.removeprefix("s3://").partition("/")
        for item in boto3.client("s3").list_objects_v2(Bucket=bucket, Prefix=prefix)["Contents"]:
            answer = _ask(app, _get(f"s3://{bucket}/{item['Key']}"), given["ContentType"], wanted["Accept"])
            name = item["Key"].removeprefix(prefix).lstrip("/")
            _put(f"{wanted['S3OutputPath'].rstrip('/')}/{name}.out", answer)

    def _app(self, model: str) -> Flask:
        container = self._service.backend._models[model].primary_container
        if package := container.get("ModelPackageName"):
            (container,) = self._service.backend.model_packages[package].inference_specification["Containers"]
        artefact = container["ModelDataUrl"]
        if artefact not in self._apps:
            packed, folder = (self._scratch / f"{len(self._apps)}{suffix}" for suffix in (".tar.gz", ""))
            packed.write_bytes(_get(artefact))
            archives.unpack(packed, folder)
            self._apps[artefact] = create_app(_Loaded(Predictor.load(folder)), ServingSettings())
        return self._apps[artefact]


def _invoked(app: Flask, environment: dict[str, Any], start: Any) -> Iterable[bytes]:
    """Answer as the server does, or with the ModelError in which the platform wraps a rejection."""
    answer = app.test_client().open(EnvironBuilder.from_environ(environment))
    if answer.status_code < 400:
        start(answer.status, list(answer.headers))
        return [answer.data]
    fault = "client" if answer.status_code < 500 else "server"
    words = f'Received {fault} error ({answer.status_code}) from all with message "{answer.text}"'
    start("424 Failed Dependency", [("Content-Type", "application/json"), ("X-Amzn-ErrorType", "ModelError")])
    return [json.dumps({"Message": words, "OriginalStatusCode": answer.status_code}).encode()]


def _ask(app: Flask, image: bytes, content_type: str, accept: str) -> bytes:
    answer = app.test_client().post(_PATH, data=image, content_type=content_type, headers={"Accept": accept})
    return bytes(answer.data)


def _get(uri: str) -> bytes:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    body: bytes = boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    return body


def _put(uri: str, body: bytes) -> None:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    boto3.client("s3").put_object(Bucket=bucket, Key=key, Body=body)
