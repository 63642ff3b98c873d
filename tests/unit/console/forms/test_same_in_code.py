"""The same in code: each form is executed or parsed, also with paths that a shell or Python would take apart."""

import ast
import itertools
import json
import os
import shlex
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from image_classifier.cli import train_locally
from image_classifier.cloud.sagemaker import calls
from image_classifier.console.forms import same_in_code
from image_classifier.contract import assignments
from image_classifier.runners import experiment
from image_classifier.runners.experiment import Experiment

HOSTILE = 'it\'s "my" $HOME `id` \\ photos; rm -rf *\nüñ #1'
ROLE = "arn:aws:iam::123456789012:role/sagemaker"


def made(folder: str = "photos", **changes: Any) -> Experiment:
    """Return an experiment that uses every field."""
    settings = {"recipe": "auto", "max_runtime": "600", "class_weights": '{"it\'s": 2.5}'}
    given: dict[str, Any] = {"validation": f"{folder}-val", "model": "lite0", "hyperparameters": settings, **changes}
    return Experiment(name="solar-cells", training=folder, **given)


def text_of(asked: Experiment, key: str) -> str:
    """Return one form of an experiment."""
    return next(one.text for one in same_in_code.snippets(asked) if one.key == key)


def recorded(script: str, folder: Path) -> dict[str, list[list[str]]]:
    """Run a shell script with commands that record their arguments; return those by command."""
    (folder / "scripts").mkdir(parents=True)
    for name in ("scripts/train-locally", "scripts/stage-backbone", "docker"):
        command = folder / name
        command.write_text(
            "#!/usr/bin/env python3\nimport json, sys\n"
            f"open({str(folder / 'calls')!r}, 'a').write(json.dumps([{name!r}, sys.argv[1:]]) + '\\n')\n"
        )
        command.chmod(0o755)
    environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
    subprocess.run(["bash", "-euc", script], cwd=folder, env=environment, check=True)
    found: dict[str, list[list[str]]] = {}
    for line in (folder / "calls").read_text().splitlines():
        name, arguments = json.loads(line)
        found.setdefault(name, []).append(arguments)
    return found


@pytest.mark.parametrize("folder", ["photos", HOSTILE])
def test_the_command_gives_the_same_experiment(folder: str, tmp_path: Path) -> None:
    """Given an experiment -> bash and the command's own parser read its channels, model and hyperparameters back."""
    asked = made(folder)
    arguments = recorded(text_of(asked, "shell"), tmp_path)["scripts/train-locally"][0]
    given = train_locally.parser().parse_intermixed_args(arguments)
    assert str(given.training) == asked.training
    assert str(given.validation) == asked.validation
    assert given.test is None
    assert given.model == asked.model
    assert assignments.parse(given.settings) == asked.hyperparameters


@pytest.mark.parametrize("folder", ["photos", HOSTILE])
def test_docker_gets_the_folders_and_hyperparameters(folder: str, tmp_path: Path) -> None:
    """Given an experiment -> the script stages the model, writes the hyperparameters, and mounts each channel once."""
    asked = made(f"/{folder}", options={"docker": {"memory": "8g", "image": "mine:1"}})
    found = recorded(text_of(asked, "docker"), tmp_path)
    assert found["scripts/stage-backbone"][0][0] == "lite0"
    job = tmp_path / "run" / "solar-cells"
    assert json.loads((job / "input/config/hyperparameters.json").read_bytes()) == asked.hyperparameters
    arguments = found["docker"][0]
    assert arguments[:2] == ["run", "--rm"]
    assert arguments[-3:] == ["--memory=8g", "mine:1", "train"]
    volumes = [value for option, value in itertools.pairwise(arguments) if option == "--volume"]
    assert volumes == [
        f"{job}:/opt/ml",
        f"/{folder}:/opt/ml/input/data/training:ro",
        f"/{folder}-val:/opt/ml/input/data/validation:ro",
    ]


@pytest.mark.parametrize("folder", ["photos", HOSTILE])
@pytest.mark.parametrize("typed", [{}, {"sagemaker": {"role": ROLE, "image": "1.dkr/x:y", "spot": "False"}}])
def test_boto3_sends_a_request_that_the_service_model_accepts(folder: str, typed: Any) -> None:
    """Given an experiment -> the snippet runs, and its request fits botocore's model of CreateTrainingJob."""
    asked = made(folder, options=typed)
    sent = requests_of(text_of(asked, "boto3"))
    calls.validate([calls.Call("sagemaker", "CreateTrainingJob", sent, "the job")])
    assert sent["HyperParameters"].items() >= asked.hyperparameters.items()
    assert [one["ChannelName"] for one in sent["InputDataConfig"]] == ["training", "validation", "model"]
    assert sent["EnableManagedSpotTraining"] is (not typed)
    assert sent["RoleArn"] == ROLE


def requests_of(code: str) -> dict[str, Any]:
    """Execute a snippet with a boto3 that records, and return the request that it sends."""
    sent: dict[str, Any] = {}

    class Session:
        def __init__(self, **_: str): ...

        def client(self, _: str) -> "Session":
            return self

        def create_training_job(self, **request: Any) -> None:
            sent.update(request)

    names = {"boto3": type("boto3", (), {"Session": Session})}
    exec(compile(code.replace("import boto3\n", ""), "snippet", "exec"), names)
    return sent


@pytest.mark.parametrize("key", ["sdk3", "sdk2", "boto3"])
@pytest.mark.parametrize("folder", ["photos", HOSTILE])
def test_python_can_be_pasted_into_a_fresh_interpreter(key: str, folder: str) -> None:
    """Given each Python form -> it compiles, and reads no name that it does not assign or import."""
    code = text_of(made(folder), key)
    tree = ast.parse(code)
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    stored = {node.id for node in names if isinstance(node.ctx, ast.Store)}
    imported = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    assert {node.id for node in names} - stored - imported == set()
    literals = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    assert "600" in literals
    assert "s3://my-bucket/image-classifier/data/solar-cells/training" in literals


@pytest.mark.parametrize("key", ["sdk3", "sdk2", "boto3"])
def test_uploads_in_comments_are_commands_on_one_line(key: str) -> None:
    """Given a folder with a line break in its name -> the comment holds a command that bash reads as the same words."""
    code = text_of(made(HOSTILE), key)
    lines = [line.removeprefix("# First, in a shell:  ") for line in code.splitlines() if line.startswith("# First")]
    assert len(lines) == 3
    words = (
        subprocess.run(["bash", "-c", f"printf '%s\\0' {lines[0]}"], capture_output=True, check=True)
        .stdout.decode()
        .split("\0")
    )
    assert words[:4] == ["aws", "s3", "sync", HOSTILE]
    assert shlex.split(lines[2])[:2] == ["scripts/stage-backbone", "lite0"]


def test_the_file_is_the_experiment(tmp_path: Path) -> None:
    """Given an experiment with absolute paths -> job.toml reads back as an equal one."""
    asked = made(str(tmp_path / HOSTILE.replace("\n", " ")), runner="sagemaker", options={"sagemaker": {"role": ROLE}})
    text = text_of(asked, "toml")
    assert tomllib.loads(text)["runner"] == "sagemaker"
    (tmp_path / "job.toml").write_text(text)
    assert experiment.read(tmp_path / "job.toml") == asked
