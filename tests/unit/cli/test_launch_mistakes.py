"""Mistakes in the words of scripts/launch, each found before AWS is asked: what, where, what is allowed, what to do."""

import json
from pathlib import Path

import pytest

from image_classifier.cli.launch import __main__ as launch
from tests.support.aws import share_sessions
from tests.support.sagemaker_service import IMAGE, REGION, ROLE

FLAGS = ["--image", IMAGE, "--role", ROLE, "--region", REGION, "--dry-run"]
TRAIN = ["train", "--training", "photos", "--model", "model.tar.gz"]
ARN = "arn:aws:sagemaker:us-west-2:123456789012:model-package/flowers/1"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working folder with images, a model and things that are neither; AWS is not configured."""
    for name in ("photos/cat/1.jpg", "photos/dog/1.jpg", "model.tar.gz", "notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"content")
    (tmp_path / "empty").mkdir()
    for name in ("texts/cat/1.txt", "texts/dog/1.txt", "one/cat/1.jpg", "job.toml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text('name = "flowers"\ntraining = "photos"\nmodel = "model.tar.gz"\n')
    monkeypatch.chdir(tmp_path)
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "absent"))
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    share_sessions(monkeypatch)


@pytest.mark.parametrize(
    ("words", "part"),
    [
        ([*TRAIN, *FLAGS, "--role", "arn:aws:iam::12:role/x"], "is not the ARN of a role; expected arn:aws:iam::1234"),
        ([*TRAIN, *FLAGS, "--region", "eu-wst-one"], "'eu-wst-one' is not the name of an AWS region, such as eu-west-"),
        ([*TRAIN, *FLAGS, "--profile", "absent"], "`aws configure list-profiles` lists those"),
        ([*TRAIN, *FLAGS, "--location", "my-bucket"], "location: 'my-bucket' is not an S3 address. Expected s3://"),
        (["train", "--training", "s3://", *FLAGS], "'s3://' is not an S3 address"),
        (["train", "--training", "S3://bucket/x", *FLAGS], "training is S3://bucket/x; expected a folder or an s3://"),
        (["train", "--training", "empty", *FLAGS], "/empty/<class name>/<image>, one folder per class."),
        (["train", "--training", "texts", *FLAGS], "has no image: cat holds 1 file(s) ending in .txt"),
        (["tune", "--training", "one", *FLAGS], "has one class, cat; a classifier needs two."),
        (["pipeline", "--training", "photos/cat", *FLAGS], "1 image lies directly in it; move it into a folder named"),
        (["train", "job.toml", "epochs", *FLAGS], "not job.toml, epochs. Hyperparameters are written name=value."),
        ([*TRAIN, *FLAGS, "--tags", "bad*tag=1"], "tags: bad*tag=1; allowed in names and values: letters, digits"),
        ([*TRAIN, *FLAGS, "--tags", "AWS:x=1"], "tags: AWS:x; AWS keeps names that begin with aws: for itself."),
        (
            [*TRAIN, *FLAGS, "--tags", ",".join(f"tag{number}=x" for number in range(48))],
            "tags are 48; allowed: 47, since AWS takes 50 with this program's.",
        ),
        ([*TRAIN, *FLAGS, "--image", "image-classifier:cpu"], "is not the URI of a Docker image in ECR, such as 1234"),
        ([*TRAIN, *FLAGS, "--location", "s3://bucket//x"], "Write one slash between two names."),
        (["deploy", "nowhere.tar.gz"], "nowhere.tar.gz does not exist on this machine."),
        (
            ["deploy", "model.tar.gz", "--kind", "serverless", "--instances", "3", *FLAGS],
            "instances has no effect on an endpoint of the kind serverless.",
        ),
        (
            ["deploy", "model.tar.gz", "--memory-mb", "4096", *FLAGS],
            "memory_mb has no effect on an endpoint of the kind real-time.",
        ),
        (["deploy", "model.tar.gz", "--scale-at", "9", *FLAGS], "scale_at is for auto scaling: give max_instances"),
        (["delete", "flowers", "--all", "--yes"], "Give names or --all, not both: --all takes more than flowers."),
        (["deploy", "photos", *FLAGS], "photos is not a model: expected a job's folder"),
        (["deploy", "notes.txt", *FLAGS], "notes.txt is not a model"),
        (["deploy", "s3://bucket/model.zip", *FLAGS], "is not an archive, and an endpoint takes nothing else"),
        (["deploy", "arn:aws:sagemaker:x", *FLAGS], "is not the ARN of a model package, such as arn:aws:sagemaker"),
        (
            ["deploy", "model.tar.gz", *FLAGS, "SERVE_MAX_BODY=9"],
            "variable SERVE_MAX_BODY is not read. Did you mean SERVE_MAX_BODY_MB?",
        ),
        (
            ["deploy", "model.tar.gz", *FLAGS, "SERVE_MAX_BODY_MB=x"],
            "SERVE_MAX_BODY_MB is 'x'; allowed: a whole number",
        ),
        (
            ["deploy", "model.tar.gz", "WORD", *FLAGS],
            "Environment variables are written name=value, such as SERVE_PRECISION=bf16; got WORD.",
        ),
        (["deploy", ARN, *FLAGS], "lies in us-west-2, and the region is eu-west-1. Give --region us-west-2."),
        (["register", ARN, "--approve", "--region", REGION], "lies in us-west-2, and the region is eu-west-1."),
        (["register", "model.tar.gz", *FLAGS], "give --evaluation with the folder of its report"),
        (["batch", "model.tar.gz", "empty", "--csv", "a.csv", *FLAGS], "DIR empty holds no image."),
        (["batch", "model.tar.gz", "notes.txt", "--csv", "a.csv", *FLAGS], "DIR notes.txt is not a folder."),
        (["batch", "model.tar.gz", "photos", "--csv", "no/a.csv", *FLAGS], "does not exist. Make it, or name a file"),
        (["invoke", "flowers", "photos", "--csv", "no/a.csv"], "does not exist. Make it, or name a file"),
        (
            ["status", "photos"],
            "photos holds no job that was started on SageMaker. Give the folder that was its --output",
        ),
        (["status"], "No AWS region is set. Give --region"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else "",
)
def test_mistake_is_one_sentence(words: list[str], part: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Given words with a mistake -> exit code 1, and a sentence with what is allowed or what to do."""
    assert launch.main(words) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert part in shown.err
    assert shown.err.startswith("UserError: ")
    assert len(shown.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "part"),
    [
        # As of an unset variable: with --yes it once meant everything.
        (["delete", "", "--yes"], "argument NAME: is empty; give a name"),
        (["invoke", "", "photos"], "argument ENDPOINT: is empty"),
        (["deploy", ""], "argument JOB_OR_MODEL: is empty"),
        (
            ["deploy", "model.tar.gz", "--name", "My_Flowers"],
            "argument --name: is 'My_Flowers'; allowed are 1 to 63 lower-case letters, digits and single hyphens, such "
            "as my-flowers",
        ),
        (["train", "job.toml", "--epochs", "3"], "hyperparameters are written without dashes: write epochs=3"),
        (["status", "--epochs=3"], "unrecognized arguments: --epochs=3"),
    ],
)
def test_mistake_in_the_form_of_the_command(words: list[str], part: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Given words of another form -> exit code 2, and what is allowed."""
    with pytest.raises(SystemExit) as ended:
        launch.main(words)
    assert ended.value.code == 2
    assert part in capsys.readouterr().err


def test_words_may_stand_behind_flags(capsys: pytest.CaptureFixture[str]) -> None:
    """Given variables of the server behind a flag -> they are the model's; any other word is an error."""
    assert launch.main(["deploy", "model.tar.gz", *FLAGS, "SERVE_MAX_BODY_MB=50"]) == 0
    planned = json.loads(capsys.readouterr().out)
    assert planned[1]["parameters"]["PrimaryContainer"]["Environment"] == {"SERVE_MAX_BODY_MB": "50"}
    assert launch.main([*TRAIN, *FLAGS, "epochs=7"]) == 0
    assert json.loads(capsys.readouterr().out)[-1]["parameters"]["HyperParameters"]["epochs"] == "7"
    for words in (["deploy", "model.tar.gz", *FLAGS, "WORD"], ["status", "--region", REGION, "a=b", "c=d"]):
        with pytest.raises(SystemExit):
            launch.main(words)
        assert "unrecognized arguments: " in capsys.readouterr().err
