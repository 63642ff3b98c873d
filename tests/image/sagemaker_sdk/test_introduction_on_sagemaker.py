"""The introduction notebook's cells for SageMaker, with both SDKs, against moto's AWS."""

import json
import textwrap
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.core.responses import ActionResult
from moto.sagemaker.responses import SageMakerResponse

from tests.image.sagemaker_sdk.conftest import ROLE, Run, sleeping_at_most
from tests.support.guides import GUIDES, write_plain_image
from tests.support.sagemaker_operations import LACKING
from tests.support.sagemaker_results import packed
from tools.documents import notebook

CELLS = notebook.code_cells(notebook.read(GUIDES / "introduction.ipynb"))
REGISTRY = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
ANSWER = {"probabilities": [0.9, 0.1], "labels": ["a", "b"], "predicted_label": "a"}
WHERE = {"v2": "sagemaker-v2", "v3": "sagemaker"}
FIRST = "display = lambda *_: None\n"
REPORTS = """
def put_reports():
    place, key = artefact.removeprefix("s3://").split("/", 1)
    body = Path("reports-of-the-job.tar.gz").read_bytes()
    boto3.client("s3").put_object(Bucket=place, Key=key.replace("model.tar.gz", "output.tar.gz"), Body=body)
put_reports()
"""
"""What the platform leaves beside the artefact."""

pytestmark = pytest.mark.every


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for what the scripts write; they start no containers, so that no image is needed."""
    return tmp_path_factory.mktemp("introduction")


@pytest.fixture(params=["v2", "v3"])
def version(request: pytest.FixtureRequest) -> str:
    """Version of the SDK."""
    return str(request.param)


@pytest.fixture
def client(aws: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Make the stand-in's clients; it leaves out empty objects, as AWS does and version 3 of the SDK expects."""

    def without_empty_objects(result: Mapping[str, Any]) -> ActionResult:
        return ActionResult({name: value for name, value in result.items() if value != {}})

    monkeypatch.setattr("moto.sagemaker.responses.ActionResult", without_empty_objects)
    for name, method in LACKING.items():
        monkeypatch.setattr(SageMakerResponse, name, method, raising=False)
    session = boto3.Session("test", "test", region_name="eu-west-1")
    return lambda service: session.client(service, endpoint_url=aws)


@pytest.fixture
def values(version: str, aws: str, client: Any, scratch: Path) -> Mapping[str, str]:
    """The reader's own values; archives, images and answers are there, so that nothing is staged or fetched."""
    work = scratch / "run" / "introduction"
    for name in ("train/a/1.bmp", "train/b/1.bmp", "held-out/a/1.bmp", "held-out/b/1.bmp"):
        write_plain_image(work / "stamps" / name)
    for name in ("backbone", "pretrained"):
        (work / name).mkdir(exist_ok=True)
        (work / name / "model.tar.gz").write_bytes(b"\x1f\x8b")
    # The notebook finds the project by its commands.
    (scratch / "scripts").mkdir(exist_ok=True)
    (scratch / "scripts" / "serve-locally").touch()
    metrics = {"epochs": 1, "best_epoch": 1, "val_accuracy": 0.5, "verdict": "Poor."}
    history = "epoch,loss,accuracy,val_loss,val_accuracy\n1,1,0.5,1,0.5\n"
    reports = packed({"metrics.json": json.dumps(metrics), "history.csv": history})
    (scratch / "reports-of-the-job.tar.gz").write_bytes(reports)
    bucket = f"introduction-of-{version}"
    client("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    if version == "v3":
        client("iam").create_role(RoleName=ROLE.rpartition("/")[2], AssumeRolePolicyDocument="{}")
    results = [{"Body": json.dumps(ANSWER), "ContentType": "application/json"}] * 4
    queue = json.dumps({"region": "eu-west-1", "results": results}).encode()
    urllib.request.urlopen(f"{aws}/moto-api/static/sagemaker/endpoint-results", queue).close()
    images = {f"{kind}image_uri": f"{REGISTRY}/image-classifier:{kind or 'cpu'}" for kind in ("", "serve_")}
    return {"WHERE": WHERE[version], "role": ROLE, "bucket": bucket, **images}


def script(values: Mapping[str, str]) -> str:
    """Return the code cells as one script; the chart needs Matplotlib, which the SDKs do not bring."""
    sources = [notebook.source(cell, values) for cell in CELLS]
    report = next(number for number, source in enumerate(sources) if source.startswith("reports = "))
    kept = [source for source in sources if "import Figure" not in source and "import Image\n" not in source]
    kept.insert(report - (len(sources) - len(kept)) + 1, textwrap.dedent(REPORTS))
    return FIRST + "\n\n".join(kept)


def test_every_request_is_valid(version: str, values: Mapping[str, str], client: Any, run_with_sdk: Run) -> None:
    """Given the notebook with WHERE of an SDK -> all cells run, three kinds of jobs exist, and no endpoint is left."""
    done = run_with_sdk(version, sleeping_at_most(0) + script(values), local_mode=False)
    assert done.exit_code == 0, done.output[-6000:]
    assert '"predicted_label": "a"' in done.output
    sagemaker = client("sagemaker")
    names = [job["TrainingJobName"] for job in sagemaker.list_training_jobs()["TrainingJobSummaries"]]
    jobs = [sagemaker.describe_training_job(TrainingJobName=name) for name in names if "introduction" in name]
    own = [job for job in jobs if values["bucket"] in job["OutputDataConfig"]["S3OutputPath"]]
    assert [[channel["ChannelName"] for channel in job["InputDataConfig"]] for job in own] == [
        ["training", "model"]
    ] * 2
    further = [job["InputDataConfig"][1]["DataSource"]["S3DataSource"]["S3Uri"] for job in own]
    assert sum(uri.endswith("/model.tar.gz") for uri in further) == 1
    assert sagemaker.list_hyper_parameter_tuning_jobs()["HyperParameterTuningJobSummaries"]
    assert sagemaker.list_endpoints()["Endpoints"] == []
    assert sagemaker.list_models()["Models"] == []
