"""The same deployment in code: how a model is served and asked outside the console, here and on SageMaker."""

import pprint
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from image_classifier.cloud.sagemaker import batch
from image_classifier.cloud.sagemaker.calls import Call
from image_classifier.console.forms.same_in_code import Snippet
from image_classifier.console.trying import batches
from image_classifier.contract.errors import UserError
from image_classifier.runners import experiment
from image_classifier.runners.endpoints import docker
from image_classifier.runners.endpoints.record import DOCKER, KINDS, LOCAL, REAL_TIME, SERVERLESS

BATCH = "batch"
WAYS = (*KINDS, BATCH)
TITLES = {
    LOCAL: "This machine",
    DOCKER: "Docker",
    REAL_TIME: "SageMaker, real-time",
    SERVERLESS: "SageMaker, serverless",
    BATCH: "SageMaker, batch",
}
_ASK = (
    "curl http://127.0.0.1:8080/invocations \\\n"
    '  -H "Content-Type: application/x-image" \\\n'
    '  -H "Accept: application/json;verbose" \\\n'
    "  --data-binary @image.jpg\n"
)
IMAGES = "s3://my-bucket/new/"
"""Of a batch job whose form does not name any."""
_IMAGE_URI = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/image-classifier:latest-serve"
_ROLE = "arn:aws:iam::123456789012:role/sagemaker"
_LOCATION = "s3://my-bucket/image-classifier"
_OWN = f'image_uri = "{_IMAGE_URI}"  # your own: printed by scripts/publish\nrole = "{_ROLE}"  # your own\n'
_HOSTED = {
    REAL_TIME: '{"InitialInstanceCount": 1, "InstanceType": "ml.c5.large"}',
    SERVERLESS: '{"ServerlessConfig": {"MemorySizeInMB": 2048, "MaxConcurrency": 5}}',
}
_HOSTED_V3 = {
    REAL_TIME: 'initial_instance_count=1, instance_type="ml.c5.large"',
    SERVERLESS: ("serverless_config=ProductionVariantServerlessConfig(memory_size_in_mb=2048, max_concurrency=5)"),
}
_HOSTED_V2 = {
    REAL_TIME: 'initial_instance_count=1, instance_type="ml.c5.large"',
    SERVERLESS: ("serverless_inference_config=ServerlessInferenceConfig(memory_size_in_mb=2048, max_concurrency=5)"),
}


@dataclass(frozen=True)
class Deployed:
    """What is deployed."""

    name: str
    """Of the endpoint: letters, digits and hyphens."""
    model: Path
    """The model folder."""
    image: str = docker.IMAGE
    images: str = IMAGES
    """Of a batch job."""
    options: Mapping[str, str] = field(default_factory=dict)
    """Of a batch job: those that the form gives."""


def snippets(way: str, deployed: Deployed) -> tuple[Snippet, ...]:
    """Return the deployment in code, and a request, for one of `WAYS`. Paths are quoted."""
    if way == LOCAL:
        start = f"scripts/serve-locally {shlex.quote(str(deployed.model))}\n"
        return (Snippet("shell", "Shell", "shell", f"{start}\n# In another terminal\n{_ASK}"),)
    if way == DOCKER:
        return (Snippet("docker", "Docker", "shell", f"{_docker(deployed)}\n# In another terminal\n{_ASK}"),)
    if way == BATCH:
        return (
            Snippet("shell", "Shell", "shell", _batch_command(deployed)),
            Snippet("boto3", "boto3", "python", _batch(deployed)),
        )
    return (
        Snippet("shell", "Shell", "shell", _launch(way, deployed)),
        Snippet("boto3", "boto3", "python", _boto3(way, deployed)),
        Snippet("sdk3", "SDK v3", "python", _sdk_v3(way, deployed)),
        Snippet("sdk2", "SDK v2", "python", _sdk_v2(way, deployed)),
    )


def _docker(deployed: Deployed) -> str:
    words = [
        "--publish 127.0.0.1:8080:8080",
        f"--volume {shlex.quote(f'{deployed.model}:/opt/ml/model:ro')}",
        "--env SERVE_PAGE=true --env SERVE_EXPLAIN=true",
        f"{shlex.quote(deployed.image)} serve",
    ]
    return " \\\n  ".join(["docker run --rm", *words]) + "\n"


def _artefact(deployed: Deployed) -> str:
    return f"s3://my-bucket/{deployed.name}/model.tar.gz"


def _packed(deployed: Deployed) -> str:
    """Return comments that say how the artefact is made: the model's files at the root of an archive."""
    return (
        f"# tar -czf model.tar.gz -C {shlex.quote(str(deployed.model))} .\n"
        f"# aws s3 cp model.tar.gz {_artefact(deployed)}\n"
    )


def _launch(way: str, deployed: Deployed) -> str:
    return (
        f"scripts/launch deploy {shlex.quote(str(deployed.model))} \\\n"
        f"  --name {deployed.name} --kind {way} \\\n"
        "  --image IMAGE_URI --role ROLE_ARN --location s3://my-bucket/image-classifier\n"
        f"scripts/launch invoke {deployed.name} image.jpg\n"
        f"# It costs money until:  scripts/launch delete {deployed.name}\n"
    )


def _model(deployed: Deployed) -> str:
    return (
        f"{_OWN}"
        'sagemaker = boto3.client("sagemaker")\n'
        "sagemaker.create_model(\n"
        f"    ModelName={deployed.name!r},\n    ExecutionRoleArn=role,\n"
        f'    PrimaryContainer={{"Image": image_uri, "ModelDataUrl": {_artefact(deployed)!r}}},\n)\n'
    )


def _boto3(way: str, deployed: Deployed) -> str:
    name = repr(deployed.name)
    return (
        "import json\nfrom pathlib import Path\n\nimport boto3\n\n"
        f"{_packed(deployed)}{_model(deployed)}"
        f'variant = {{"VariantName": "all", "ModelName": {name}}} | {_HOSTED[way]}\n'
        f"sagemaker.create_endpoint_config(EndpointConfigName={name}, ProductionVariants=[variant])\n"
        f"sagemaker.create_endpoint(EndpointName={name}, EndpointConfigName={name})\n"
        f'sagemaker.get_waiter("endpoint_in_service").wait(EndpointName={name})\n\n'
        'runtime = boto3.client("sagemaker-runtime")\n'
        "response = runtime.invoke_endpoint(\n"
        f'    EndpointName={name},\n    ContentType="application/x-image",\n    Accept="application/json;verbose",\n'
        '    Body=Path("image.jpg").read_bytes(),\n)\n'
        'print(json.load(response["Body"])["predicted_label"])\n'
        f"# It costs money until:  sagemaker.delete_endpoint(EndpointName={name})\n"
    )


def _sdk_v3(way: str, deployed: Deployed) -> str:
    name = repr(deployed.name)
    return (
        "from pathlib import Path\n\n"
        "from sagemaker.core.resources import Endpoint, EndpointConfig, Model\n"
        "from sagemaker.core.shapes import ContainerDefinition, ProductionVariant\n"
        + ("from sagemaker.core.shapes import ProductionVariantServerlessConfig\n" if way == SERVERLESS else "")
        + f"\n{_OWN}"
        f"container = ContainerDefinition(image=image_uri, model_data_url={_artefact(deployed)!r})\n"
        f"Model.create(model_name={name}, primary_container=container, execution_role_arn=role)\n"
        f'variant = ProductionVariant(variant_name="all", model_name={name}, {_HOSTED_V3[way]})\n'
        f"EndpointConfig.create(endpoint_config_name={name}, production_variants=[variant])\n"
        f"endpoint = Endpoint.create(endpoint_name={name}, endpoint_config_name={name})\n"
        'endpoint.wait_for_status("InService")\n'
        "response = endpoint.invoke(\n"
        '    body=Path("image.jpg").read_bytes(),\n    content_type="application/x-image",\n'
        '    accept="application/json;verbose",\n)\n'
        "print(response.body.read())\n"
        "# It costs money until:  endpoint.delete()\n"
    )


def _sdk_v2(way: str, deployed: Deployed) -> str:
    return (
        "from pathlib import Path\n\n"
        "from sagemaker.deserializers import JSONDeserializer\n"
        "from sagemaker.model import Model\n"
        "from sagemaker.predictor import Predictor\n"
        "from sagemaker.serializers import IdentitySerializer\n"
        + ("from sagemaker.serverless import ServerlessInferenceConfig\n" if way == SERVERLESS else "")
        + f"\n{_OWN}"
        f"model = Model(image_uri, model_data={_artefact(deployed)!r}, role=role, predictor_cls=Predictor)\n"
        f"predictor = model.deploy({_HOSTED_V2[way]}, endpoint_name={deployed.name!r},\n"
        '    serializer=IdentitySerializer("application/x-image"), deserializer=JSONDeserializer())\n'
        'image = Path("image.jpg").read_bytes()\n'
        'print(predictor.predict(image, initial_args={"Accept": "application/json;verbose"}))\n'
        "# It costs money until:  predictor.delete_endpoint()\n"
    )


def _batch_command(deployed: Deployed) -> str:
    given = {"image": "IMAGE_URI", "role": "ROLE_ARN", "location": _LOCATION, **deployed.options}
    words = batches.arguments(deployed.model, deployed.images, Path(batches.ANSWERS), given)
    command, rest = words[:5], words[5:]
    flags = [f"  {name} {shlex.quote(value)}" for name, value in zip(rest[::2], rest[1::2], strict=True)]
    return " \\\n".join([f"scripts/launch {shlex.join(command)}", *flags]) + "\n"


def _batch(deployed: Deployed) -> str:
    """Return the requests of `scripts/launch batch`, for images that lie in S3 already."""
    given = {"image": _IMAGE_URI, "role": _ROLE, "location": _LOCATION, **deployed.options}
    images = deployed.images if experiment.is_s3(deployed.images) else IMAGES
    try:
        found = batches.described(deployed.name, _artefact(deployed), images, given)
    except UserError as error:
        return f"# {error}\n"
    model, job, cleaning = map(_call, batch.requests(found))
    wait = f'sagemaker.get_waiter("transform_job_completed_or_stopped").wait(TransformJobName={deployed.name!r})\n'
    return f'import boto3\n\n{_packed(deployed)}sagemaker = boto3.client("sagemaker")\n{model}{job}{wait}{cleaning}'


def _call(call: Call) -> str:
    method = re.sub("(?<!^)(?=[A-Z])", "_", call.operation).lower()
    parameters = pprint.pformat(dict(call.parameters), sort_dicts=False, width=100)
    return f"sagemaker.{method}(\n    **{parameters}\n)\n"
