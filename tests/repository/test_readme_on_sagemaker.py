"""The commands of the README's section "On SageMaker", run in order: a recording docker, and moto's AWS over HTTP."""

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from image_classifier.cli.launch import __main__ as launch
from image_classifier.runners import sagemaker
from image_classifier.runners.chosen_model import ChosenModel
from image_classifier.runners.sagemaker_job import process
from tests.repository.project import ROOT
from tests.support.aws import ACCOUNT
from tests.support.colour_jobs import PHOTOS, finish, hosted_here, local_answers, write_inputs, write_model
from tests.support.recording_docker import DIGEST, RecordingDocker, put_on_path
from tests.support.sagemaker_jobs import job_of
from tests.support.sagemaker_service import BUCKET, REGION, ROLE, SageMakerService
from tools.docker_image import publish

README = (ROOT / "README.md").read_text(encoding="utf-8")
MOST_COMMANDS = 8
CLONE = "git clone REPOSITORY image-classifier && cd image-classifier"


def commands() -> list[str]:
    """Return the commands of the section, continued lines joined."""
    section = README.split("\n## On SageMaker\n")[1].split("\n## ")[0]
    [block] = re.findall(r"^```bash\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    return [line for line in str(block).replace("\\\n", "").splitlines() if line.strip()]


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RecordingDocker:
    """A docker that writes down how it is called."""
    found = put_on_path(tmp_path / "bin", monkeypatch)
    found.has_image()
    return found


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SageMakerService]:
    """SageMaker on this machine, where a job leaves a model that knows the reader's images."""
    monkeypatch.chdir(tmp_path)
    write_inputs(tmp_path)
    shutil.copy(PHOTOS[0], "photo.jpg")
    model = write_model(tmp_path / "trained")
    # The default backbone would be downloaded.
    monkeypatch.setattr(ChosenModel, "fetch", lambda _: tmp_path / "backbone.tar.gz")
    with hosted_here(monkeypatch, tmp_path) as found:

        def follow(folder: Path, lock: int) -> None:
            finish(job_of(folder), found, model, local_answers(model))
            process.run(folder)

        monkeypatch.setattr(sagemaker, "_follow", follow)
        yield found


def test_a_clone_and_the_commands_are_at_most_eight() -> None:
    """Given the commands, and the clone that the README begins with -> no more than eight."""
    assert f"$ {CLONE}\n" in README
    assert len([CLONE, *commands()]) <= MOST_COMMANDS


def test_commands_lead_to_an_answer(
    docker: RecordingDocker, service: SageMakerService, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given the reader's images -> the image is built and pushed, a job runs, the answer is right, nothing is left."""
    variables: dict[str, str] = {}
    answers: list[str] = []
    for command in commands():
        assigned = re.fullmatch(r"(\w+)=\$\((.*)\)", command)
        script, *words = shlex.split(assigned[2] if assigned else command)
        words = [variables[word[1:]] if word.startswith("$") else word for word in words]
        run(script, [word.replace("my-bucket", BUCKET) for word in words])
        printed = capsys.readouterr().out
        if assigned:
            variables[assigned[1]] = printed.strip()
        if words[:1] == ["invoke"]:
            answers.append(printed)
    assert docker.commands("build ")[0].startswith("build --target cpu --tag image-classifier:cpu ")
    assert variables == {"image": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/image-classifier@{DIGEST}"}
    assert docker.commands("push ")
    assert dict(service.requests)["CreateTrainingJob"]["AlgorithmSpecification"]["TrainingImage"] == variables["image"]
    assert [answer.split()[:2] for answer in answers] == [["photo.jpg", "trained-red"]]
    left = {each["ResourceARN"].split(":")[5].split("/")[0] for each in service.tagged() if each["Tags"]}
    assert left == {"training-job"}
    assert ROLE in json.dumps(service.requests)


def run(script: str, words: list[str]) -> None:
    """Run one command; those in Python run in this process, and setup, which makes .venv, has run already."""
    if script in ("scripts/launch", "scripts/publish"):
        main = launch.main if script == "scripts/launch" else publish.main
        assert main(words) == 0, [script, *words]
    elif script == "scripts/build":
        subprocess.run([ROOT / script, *words], check=True, capture_output=True)
    else:
        assert (script, words) == ("scripts/setup", [])
        assert (ROOT / script).is_file()
