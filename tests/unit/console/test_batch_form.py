"""The form of a batch job: the same requests in code, its mistakes, its state, and its answers as CSV."""

import html
import os
import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from image_classifier import PROGRAM
from image_classifier.cloud.sagemaker import batch, calls
from image_classifier.console.trying import batches
from image_classifier.runners.experiment import Experiment
from image_classifier.runners.job import JobStatus, State
from tests.support.consoles import client_of, make_console
from tests.support.scripted_runner import ScriptedRunner
from tests.support.waiting import wait_until

ADDRESS = "/deployments"
GIVEN = {
    "image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/image-classifier:latest",
    "role": "arn:aws:iam::123456789012:role/sagemaker",
    "location": "s3://my-bucket/image-classifier",
    "region": "eu-west-1",
    "instances": "2",
}
FORM = {"where": "batch", "job": "birds", "images": "s3://my-bucket/new/", **GIVEN}
_COMMAND = """
import sys
from pathlib import Path

Path(__file__).with_name("arguments.txt").write_text("\\n".join(sys.argv[1:]))
Path(sys.argv[sys.argv.index("--csv") + 1]).write_text("image,label\\n")
"""
"""Instead of `scripts/launch`."""


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    """A browser of a console with a finished job, whose batch jobs run a command that only writes a CSV."""
    runner = ScriptedRunner()
    folder = tmp_path.resolve() / "home" / "jobs" / "birds"
    runner.start(Experiment("birds", str(tmp_path)), folder)
    (folder / "model").mkdir()
    runner.set(folder, State.FINISHED)
    runner.statuses["birds"] = JobStatus(State.FINISHED, accuracy=0.9)
    (tmp_path / "pretended_launch.py").write_text(_COMMAND)
    monkeypatch.setattr(batches, "_MODULE", "pretended_launch")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, (tmp_path, PROGRAM))))
    return client_of(make_console(tmp_path, runners={"local": runner}))


def code_of(client: FlaskClient, form: str, **given: str) -> str:
    """Return the code that the page shows."""
    page = client.get(ADDRESS, query_string={**FORM, **given, "code": form}).text
    found = re.search(r"<pre[^>]*><code[^>]*>(.*?)</code>", page, re.DOTALL)
    assert found
    return html.unescape(found[1])


def test_code_sends_the_requests_of_the_command(client: FlaskClient) -> None:
    """Given a form -> boto3's calls with exactly the parameters of `scripts/launch batch`, valid for AWS."""
    found: list[tuple[str, dict[str, object]]] = []

    class Recorder:
        def __getattr__(self, name: str) -> object:
            return lambda **parameters: found.append((name, parameters)) or self  # type: ignore[func-returns-value]

        def get_waiter(self, name: str) -> "Recorder":
            return self

    code = code_of(client, "boto3").replace("import boto3\n", "").replace('boto3.client("sagemaker")', "recorder")
    exec(code, {"recorder": Recorder()})
    expected = batch.requests(batches.described("birds", "s3://my-bucket/birds/model.tar.gz", FORM["images"], GIVEN))
    calls.validate(expected)
    assert [parameters for name, parameters in found if name != "wait"] == [dict(call.parameters) for call in expected]
    assert [name for name, _ in found] == ["create_model", "create_transform_job", "wait", "delete_model"]


def test_command_has_the_options_of_the_form(client: FlaskClient) -> None:
    """Given options, and none -> they are in the command; what is missing has a place to fill in."""
    assert "--instances 2" in code_of(client, "shell")
    bare = code_of(client, "shell", image="", role="", location="", instances="")
    assert "--image IMAGE_URI" in bare
    assert "--instances" not in bare


def test_batch_job_leaves_its_answers(client: FlaskClient, tmp_path: Path) -> None:
    """Given a folder of images -> the command runs with model, folder and options; its CSV can be fetched."""
    (tmp_path / "new").mkdir()
    answer = client.post(ADDRESS, data={**FORM, "images": str(tmp_path / "new")})
    assert answer.status_code == 303, answer.text
    wait_until(lambda: "answers.csv" in client.get(ADDRESS).text, 30, "the batch job to end")
    sent = (tmp_path / "arguments.txt").read_text().splitlines()
    assert sent[:3] == ["batch", str(tmp_path.resolve() / "home" / "jobs" / "birds" / "model"), str(tmp_path / "new")]
    assert sent[sent.index("--instances") + 1] == "2"
    with client.get(f"{ADDRESS}/batch/birds-batch-1/answers.csv") as answers:
        assert answers.data == b"image,label\n"
    assert client.get(f"{ADDRESS}/batch/birds-batch-2/answers.csv").status_code == 404


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"images": ""}, "Images: give a folder"),
        ({"images": "/etc"}, "outside the folders"),
        ({"role": ""}, "role: the execution role is missing"),
        ({"instances": "none"}, "instances"),
        ({"job": "unknown"}, "is not a job with a model"),
    ],
)
def test_mistakes_start_nothing(client: FlaskClient, tmp_path: Path, wrong: dict[str, str], sentence: str) -> None:
    """Given a mistake -> the form with its sentence, and no batch job."""
    answer = client.post(ADDRESS, data={**FORM, **wrong})
    assert answer.status_code == 400
    assert sentence in html.unescape(answer.text)
    assert not list(tmp_path.rglob("request.json"))
