"""scripts/launch: experiments from files and flags, dry runs, the end of a job, status and deletion, over HTTP."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from image_classifier.cli.launch import __main__ as launch
from image_classifier.cli.launch import following
from image_classifier.cloud.sagemaker import tags
from image_classifier.runners import experiment, sagemaker
from image_classifier.runners.sagemaker_job import process
from tests.support.golden_files import assert_golden
from tests.support.sagemaker_results import ACCURACY, LOG, put_results
from tests.support.sagemaker_service import BUCKET, IMAGE, ROLE, Fault, SageMakerService, sagemaker_on_this_machine

GOLDEN = Path(__file__).parent / "golden"
NAME = "flowers-20261130-120000"
FLAGS = ["--image", IMAGE, "--role", ROLE, "--location", f"s3://{BUCKET}/image-classifier"]
JOB = """\
name = "flowers"
training = "photos"
model = "model.tar.gz"

[hyperparameters]
recipe = "builtin"
epochs = 3

[sagemaker]
instance_type = "ml.c5.xlarge"
tags = {team = "vision"}
"""


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[SageMakerService]:
    """SageMaker on this machine; names of jobs have one time, and jobs are followed in this process."""
    monkeypatch.setattr(process, "PAUSE", 0.0)
    monkeypatch.setattr(following, "PAUSE", 0.0)
    monkeypatch.setattr("image_classifier.cloud.sagemaker.names._STAMP", NAME.removeprefix("flowers"))
    monkeypatch.setattr("image_classifier.cloud.sagemaker.tags.__version__", "1.2.3")
    with sagemaker_on_this_machine(monkeypatch) as found:
        yield found


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with two classes of images, a model and a job.toml."""
    for name in ("photos/cat/1.jpg", "photos/dog/1.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "model.tar.gz").write_bytes(b"model")
    (tmp_path / "job.toml").write_text(JOB)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def printed(capsys: pytest.CaptureFixture[str]) -> Any:
    """Return the JSON document on standard output."""
    return json.loads(capsys.readouterr().out)


def deploy(name: str) -> None:
    """Make an endpoint with its configuration and model."""
    marks, client = tags.tags("flowers", {}), boto3.client("sagemaker")
    container = {"Image": IMAGE, "ModelDataUrl": "s3://b/model.tar.gz"}
    client.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer=container, Tags=marks)
    variant: Any = {"VariantName": "all", "ModelName": name, "InitialInstanceCount": 1, "InstanceType": "ml.c5.large"}
    client.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant], Tags=marks)
    client.create_endpoint(EndpointName=name, EndpointConfigName=name, Tags=marks)


def test_dry_run_prints_every_request_and_sends_none(
    service: SageMakerService, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given a job.toml and flags over it -> the uploads and the request of the golden file, and no request."""
    words = ["job.toml", "epochs=7", "--instance-type", "ml.g5.xlarge", "--no-spot", "--dry-run"]
    assert launch.main(["train", *words, *FLAGS]) == 0
    found = json.loads(capsys.readouterr().out.replace(str(here), "HERE"))
    assert service.requests == []
    assert not (here / "run").exists()
    assert_golden(GOLDEN / "launch_train.json", found)


def test_job_is_followed_to_its_result(
    service: SageMakerService, here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a job that completes -> its log, its accuracy, the verdict of its report and what it cost."""

    def follow(folder: Path, lock: int) -> None:
        put_results(NAME)
        service.log(NAME, LOG)
        process.run(folder)

    monkeypatch.setattr(sagemaker, "_follow", follow)
    monkeypatch.setattr("image_classifier.runners.sagemaker_job.process.platform_of", billed(process.platform_of))
    assert launch.main(["train", "job.toml", "--output", "run/mine", "--price", "0.3", *FLAGS]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert LOG[-1] in lines
    assert f"Validation accuracy {ACCURACY:.4f} on 2 images" in lines
    assert "Verdict: Good enough." in lines
    assert "Report: run/mine/output/data/report.html" in lines
    assert f"Artefact: s3://{BUCKET}/image-classifier/jobs/{NAME}/output/model.tar.gz" in lines
    assert (
        lines[-1] == "Billed: 1,200 s of 3,600 s, 67% saved by spot instances, about 0.10 at 0.3 per instance and hour"
    )
    kept = experiment.read(here / "run/mine" / experiment.FILE)
    assert kept.options["sagemaker"]["instance_type"] == "ml.c5.xlarge"
    assert kept.hyperparameters["epochs"] == "3"


def billed(platform: Any) -> Any:
    """Return a function that adds the seconds of a spot job to an answer, which moto has not."""
    return lambda answer: platform({**answer, "BillableTimeInSeconds": 1200, "TrainingTimeInSeconds": 3600})


def test_programs_get_one_document(
    service: SageMakerService, here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given --json -> training and status print the job's status as one JSON document each."""

    def follow(folder: Path, lock: int) -> None:
        put_results(NAME)
        service.log(NAME, LOG)
        process.run(folder)

    monkeypatch.setattr(sagemaker, "_follow", follow)
    assert launch.main(["train", "job.toml", "--output", "run/mine", "--json", *FLAGS]) == 0
    found = printed(capsys)
    assert (found["state"], found["accuracy"], found["folder"]) == ("finished", ACCURACY, "run/mine")
    assert [epoch["metrics"]["val_accuracy"] for epoch in found["epochs"]] == [0.7887, 0.8197]
    assert launch.main(["status", "run/mine", "--json"]) == 0
    assert printed(capsys) == found
    assert launch.main(["status", "run/mine"]) == 0
    assert "artefact: s3://" in capsys.readouterr().out
    assert launch.main(["stop", "run/mine"]) == 0
    assert capsys.readouterr().out == "The job is over.\n"


def test_failed_job_is_a_failed_command(
    service: SageMakerService, here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a role that cannot be assumed -> exit code 1 and the sentence."""
    monkeypatch.setattr(sagemaker, "_follow", lambda folder, lock: process.run(folder))
    service.faults["CreateTrainingJob"] = [Fault("ValidationException", f"Could not assume role {ROLE}.")]
    assert launch.main(["train", "job.toml", "--output", "run/mine", *FLAGS]) == 1
    said = capsys.readouterr().out
    assert "The job failed. UserError: The training job flowers-" in said
    assert "trust policy" in said
    # It has none.
    assert "Its log" not in said


def test_interrupted_command_leaves_the_job_running(
    service: SageMakerService, here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given Ctrl-C without a terminal -> the command detaches, and says how to stop the job."""
    monkeypatch.setattr(sagemaker, "_follow", lambda folder, lock: None)

    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("image_classifier.cli.launch.following.time.sleep", interrupt)
    assert launch.main(["train", "job.toml", "--output", "run/mine", *FLAGS]) == 0
    assert "Detached; the job continues" in capsys.readouterr().out
    assert "StopTrainingJob" not in service.operations()


@pytest.mark.parametrize(
    ("answer", "stops", "is_followed"), [("s", 1, True), ("c", 0, True), ("d", 0, False), ("", 0, False)]
)
def test_interrupted_user_is_asked(
    here: Path, monkeypatch: pytest.MonkeyPatch, answer: str, stops: int, is_followed: bool
) -> None:
    """Given Ctrl-C on a terminal and an answer -> the job is stopped or not, and followed further or not."""
    stopped: list[Path] = []
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("image_classifier.cli.terminal.consoles.is_interactive", lambda: True)
    monkeypatch.setattr("builtins.input", lambda _: answer)
    monkeypatch.setattr(sagemaker, "stop", stopped.append)
    assert following._is_followed_further(here) is is_followed
    assert len(stopped) == stops


def test_mistakes_are_one_sentence_each(
    service: SageMakerService, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given no data, two files, and options that are missing -> UserErrors that say what to do."""
    for words, part in (
        ([], "Nothing to train on"),
        (["job.toml", "other.toml"], "Give one file"),
        (["job.toml"], "image: the URI of the Docker image is missing"),
        (["job.toml", *FLAGS, "--instance-type", "ml.m5.xlage"], "ml.m5.xlarge"),
    ):
        assert launch.main(["train", *words]) == 1
        assert part in capsys.readouterr().err
    assert service.requests == []


def test_status_lists_what_was_made(service: SageMakerService, capsys: pytest.CaptureFixture[str]) -> None:
    """Given nothing, and then an endpoint -> a sentence, a table and a document for programs."""
    assert launch.main(["status"]) == 0
    assert "Nothing on AWS" in capsys.readouterr().out
    deploy("mine")
    assert launch.main(["status"]) == 0
    assert [line.split("  ")[0] for line in capsys.readouterr().out.splitlines()] == [
        *("what", "endpoint", "endpoint configuration", "model"),
    ]
    assert launch.main(["status", "--json", "--experiment", "flowers"]) == 0
    assert printed(capsys)[0]["state"] == "InService"


def test_deletion_asks_and_is_idempotent(service: SageMakerService, capsys: pytest.CaptureFixture[str]) -> None:
    """Given an endpoint -> a dry run deletes nothing, no terminal needs --yes, and twice is not an error."""
    deploy("mine")
    assert launch.main(["delete"]) == 1
    assert "Say what to delete" in capsys.readouterr().err
    assert launch.main(["delete", "--all", "--dry-run"]) == 0
    assert [each["operation"] for each in printed(capsys)] == ["DeleteEndpoint", "DeleteEndpointConfig", "DeleteModel"]
    assert launch.main(["delete", "--all"]) == 1
    assert "give --yes" in capsys.readouterr().err
    assert launch.main(["delete", "mine", "theirs", "--yes"]) == 1
    assert "theirs: not found" in capsys.readouterr().err
    deploy("mine-too")
    assert launch.main(["delete", "mine", "--yes"]) == 0
    assert len(service.tagged()) == 3
    for _ in range(2):
        assert launch.main(["delete", "--all", "--yes"]) == 0
    assert service.tagged() == []
