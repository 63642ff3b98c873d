"""What SageMaker does with a CreateTrainingJob request: /opt/ml as the request says, the program, its results in S3.

https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-algo-running-container.html.
"""

import io
import json
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import boto3

_HOST = "algo-1"


def run(request: Mapping[str, Any], tree: Path, train: Callable[[Path, Mapping[str, str]], None]) -> None:
    """Let `train` do a job, which gets its /opt/ml and the platform's variables, and upload what it leaves."""
    lay_out(request, tree)
    train(tree, {"TRAINING_JOB_NAME": request["TrainingJobName"], **request.get("Environment", {})})
    folder = f"{request['OutputDataConfig']['S3OutputPath']}/{request['TrainingJobName']}/output"
    for name, content in (("model", tree / "model"), ("output", tree / "output" / "data")):
        bucket, key = _place(f"{folder}/{name}.tar.gz")
        boto3.client("s3").put_object(Bucket=bucket, Key=key, Body=_packed(content))


def lay_out(request: Mapping[str, Any], tree: Path) -> None:
    """Write the channels, from S3, and the configuration files of a job on one instance."""
    channels = {each["ChannelName"]: each for each in request["InputDataConfig"]}
    for name, channel in channels.items():
        source = channel["DataSource"]["S3DataSource"]
        assert source["S3DataType"] == "S3Prefix"
        _download(source["S3Uri"], tree / "input" / "data" / name)
    config = tree / "input" / "config"
    config.mkdir(parents=True)
    files = {
        "hyperparameters": request["HyperParameters"],
        "inputdataconfig": {
            name: {
                "ContentType": channel["ContentType"],
                "TrainingInputMode": channel["InputMode"],
                "S3DistributionType": channel["DataSource"]["S3DataSource"]["S3DataDistributionType"],
                "RecordWrapperType": "None",
            }
            for name, channel in channels.items()
        },
        "resourceconfig": {
            "current_host": _HOST,
            "current_instance_type": request["ResourceConfig"]["InstanceType"],
            "hosts": [_HOST],
            "network_interface_name": "eth0",
        },
    }
    for name, content in files.items():
        (config / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    for name in ("model", "output/data", "checkpoints"):
        (tree / name).mkdir(parents=True)


def _download(uri: str, folder: Path) -> None:
    """Write the objects under a prefix as files; an object of that very name gets its own name."""
    bucket, prefix = _place(uri)
    client = boto3.client("s3")
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for item in page["Contents"]:
            name = item["Key"].removeprefix(prefix).lstrip("/") or prefix.rpartition("/")[2]
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            client.download_file(bucket, item["Key"], str(folder / name))


def _place(uri: str) -> tuple[str, str]:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


def _packed(folder: Path) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for path in sorted(folder.iterdir()):
            archive.add(path, path.name)
    return content.getvalue()
