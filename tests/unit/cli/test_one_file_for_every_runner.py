"""What each runner hands to the program for one job.toml: the same hyperparameters.

That the figures are the same too is shown by `tests/platform/test_same_job_everywhere.py`.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from image_classifier.cli import train_locally
from image_classifier.cli.launch import __main__ as launch
from image_classifier.contract import hyperparameters
from image_classifier.runners import docker, experiment, workplace
from tests.support import fake_training, pretended_docker
from tests.support.aws import share_sessions
from tests.support.sagemaker_service import BUCKET, IMAGE, REGION, ROLE
from tests.support.waiting import wait_until

FILE = f"""\
name = "flowers"
training = "photos"
model = "model.tar.gz"
[hyperparameters]
HYPERPARAMETERS
[sagemaker]
image = "{IMAGE}"
role = "{ROLE}"
location = "s3://{BUCKET}/image-classifier"
region = "{REGION}"
"""
GIVEN = {
    "without a recipe": 'train-only-on-top = true\nlearning_rate = 0.01\nrandom_seed = "7"',
    "with a recipe": 'recipe = "auto"\ntrain_only_top_layer = true',
    "nothing": "",
}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with images of two classes and a model; jobs end at once."""
    for name in ("photos/cat/1.jpg", "photos/dog/1.jpg", "model.tar.gz"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"content")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IMAGE_CLASSIFIER_CACHE", str(tmp_path / "cache"))
    share_sessions(monkeypatch)
    for module in (workplace, docker):
        monkeypatch.setattr(module, "TRAIN", fake_training.command(0.0, 1))
    return tmp_path


def on_this_machine(folder: Path, *_: object) -> None:
    """Train with scripts/train-locally."""
    assert train_locally.main(["--job", "job.toml", "--output", str(folder)]) == 0


def in_docker(folder: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Train with the runner docker."""
    pretended_docker.put_on_path(scratch / "bin", monkeypatch)
    docker.start(experiment.read(Path("job.toml")), folder)
    wait_until(lambda: docker.status(folder).state.is_over, 30, "the job in the container is over")


def read(folder: Path) -> dict[str, Any]:
    """Return the hyperparameters that the program found, decoded."""
    given = json.loads((folder / "input/config/hyperparameters.json").read_text())
    return vars(hyperparameters.parse(given).values)


def requested(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """Return those of the request that scripts/launch would send, decoded, without the platform's time budget."""
    capsys.readouterr()
    assert launch.main(["train", "job.toml", "--dry-run"]) == 0
    given = json.loads(capsys.readouterr().out)[-1]["parameters"]["HyperParameters"]
    del given["max_runtime"]
    return vars(hyperparameters.parse(given).values)


@pytest.mark.parametrize(
    ("runner", "given"), [*((on_this_machine, each) for each in GIVEN), (in_docker, "without a recipe")]
)
def test_every_runner_trains_by_what_the_file_says(
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    runner: Callable[[Path, Path, pytest.MonkeyPatch], None],
    given: str,
) -> None:
    """Given a file with and without a recipe -> the values of the request to SageMaker are those of a job here."""
    Path("job.toml").write_text(FILE.replace("HYPERPARAMETERS", GIVEN[given]))
    runner(here / "out", here, monkeypatch)
    assert read(here / "out") == requested(capsys)


def test_words_replace_values_of_the_file_under_any_name(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Given a file in a folder named lr=0.1 and a word with another name of a value in it -> the word counts."""
    folder = here / "lr=0.1"
    folder.mkdir()
    text = FILE.replace("HYPERPARAMETERS", GIVEN["without a recipe"]).replace('= "', '= "../', 2)
    (folder / "job.toml").write_text(text.replace('"../flowers"', '"flowers"').replace('"model', '"../model'))
    assert launch.main(["train", "lr=0.1/job.toml", "train_only_top_layer=False", "--dry-run"]) == 0
    found = json.loads(capsys.readouterr().out)[-1]["parameters"]["HyperParameters"]
    assert {name: found[name] for name in found if "top" in name} == {"train_only_top_layer": "False"}
