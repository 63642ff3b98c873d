"""scripts/train-locally --job: an experiment in a file, and what the command says otherwise."""

from pathlib import Path
from typing import Any

import pytest

from image_classifier.cli import train_locally
from image_classifier.runners.chosen_model import ChosenModel
from image_classifier.runners.experiment import Experiment
from image_classifier.runners.job_tree import LocalJob

FILE = """
name = "flowers"
training = "images"
model = "backbone"
runner = "sagemaker"
[hyperparameters]
epochs = 5
train-only-on-top = true
[sagemaker]
instance_type = "ml.m5.large"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a job.toml and what it names, which is not the working folder."""
    for name in ("images/a", "images/b", "others/a", "others/b", "backbone"):
        (tmp_path / "experiment" / name).mkdir(parents=True)
    for image in ("images/a/1.jpg", "images/b/1.jpg", "others/a/1.jpg", "others/b/1.jpg"):
        (tmp_path / "experiment" / image).touch()
    (tmp_path / "experiment" / "job.toml").write_text(FILE)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "experiment"


def trained(monkeypatch: pytest.MonkeyPatch, *words: str) -> tuple[LocalJob, Experiment]:
    """Return the job that the command would run, and the experiment that its folder would keep."""
    found: list[tuple[LocalJob, Experiment]] = []

    def train(job: LocalJob, overwrite: bool, show_report: bool, asked_for: Experiment) -> int:
        found.append((job, asked_for))
        return 0

    monkeypatch.setattr(train_locally, "train", train)
    assert train_locally.main(list(words)) == 0
    return found[0]


def test_file_alone(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Given a file for SageMaker -> its folders, model and values, without a recipe that it does not name."""
    job, asked_for = trained(monkeypatch, "--job", "experiment/job.toml", "--output", "out")
    assert (job.training, job.model, job.output) == (folder / "images", folder / "backbone", Path("out"))
    assert job.hyperparameters == {"epochs": "5", "train-only-on-top": "True"}
    assert (asked_for.name, asked_for.runner) == ("flowers", "local")
    assert "recipe" not in capsys.readouterr().out


def test_channels_named_by_their_manifest(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given manifests instead of folders, in the file and as a word -> their folders; another file is rejected."""
    for name in ("images", "others"):
        (folder / name / "list.csv").write_text("path,label\na/1.jpg,a\nb/1.jpg,b\n")
    (folder / "job.toml").write_text(FILE.replace('"images"', '"images/list.csv"'))
    job, asked_for = trained(
        monkeypatch, "--job", "experiment/job.toml", "--validation", "experiment/others/list.csv", "--output", "out"
    )
    assert (job.training, job.validation) == (folder / "images", Path("experiment/others"))
    assert asked_for.training == str(folder / "images")
    (folder / "job.toml").write_text(FILE.replace('"images"', '"job.toml"'))
    assert train_locally.main(["--job", "experiment/job.toml", "--output", "out"]) == 1
    assert "job.toml is not a manifest. Expected a folder, or a CSV file" in capsys.readouterr().err


def test_words_take_precedence(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given another channel, and a hyperparameter under another of its names -> those of the command."""
    words = ("--training", "experiment/others", "train_only_top_layer=False", "epochs=7")
    job, asked_for = trained(monkeypatch, "--job", "experiment/job.toml", *words)
    assert job.training == Path("experiment/others")
    assert asked_for.training == str(folder / "others")
    assert job.hyperparameters == {"epochs": "7", "train_only_top_layer": "False"}


def test_without_a_file_the_job_is_described_all_the_same(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given words alone -> an experiment with absolute paths, named after the output folder."""
    words = ("--training", "experiment/images", "--model", "experiment/backbone", "--output", "my run")
    _, asked_for = trained(monkeypatch, *words, "recipe=auto")
    assert asked_for == Experiment(
        "my-run", str(folder / "images"), model=str(folder / "backbone"), hyperparameters={"recipe": "auto"}
    )


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"images": "absent"}, "which is not a folder"),
        ({'"images"': '"s3://bucket/images"'}, "a job on this machine reads folders"),
        ({"epochs": "epoch"}, "Did you mean epochs?"),
        ({"[sagemaker]": "[sagemeker]"}, "Did you mean sagemaker?"),
    ],
    ids=str,
)
def test_mistakes_in_the_file(
    folder: Path, change: dict[str, Any], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given a missing folder, an address, a wrong name or table -> exit code 1, one message, and nothing is written."""
    text = FILE
    for old, new in change.items():
        text = text.replace(old, new)
    (folder / "job.toml").write_text(text)
    assert train_locally.main(["--job", str(folder / "job.toml"), "--output", "out"]) == 1
    assert sentence in capsys.readouterr().err
    assert not Path("out").exists()


def test_neither_file_nor_folder(capsys: pytest.CaptureFixture[str]) -> None:
    """Given neither --job nor --training -> exit code 2, and what is missing."""
    with pytest.raises(SystemExit, match="2"):
        train_locally.main(["epochs=3"])
    assert "the following arguments are required: --training DIR, or --job FILE" in capsys.readouterr().err


@pytest.mark.parametrize("named", ["", "1.jpg"])
def test_folder_without_class_folders_is_found_before_a_model_is_fetched(
    folder: Path, named: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given an empty folder, or a flat one, and a model of the catalogue -> one sentence; nothing is fetched."""
    (folder / "flat").mkdir()
    if named:
        (folder / "flat" / named).touch()

    def fetch(*_: object) -> None:
        raise AssertionError("fetched")

    monkeypatch.setattr(ChosenModel, "fetch", fetch)
    assert train_locally.main(["--training", "experiment/flat", "--model", "lite0", "--output", "out"]) == 1
    said = capsys.readouterr()
    assert said.err.startswith("UserError: ")
    assert "experiment/flat" in said.err
    assert said.out == ""
    assert not Path("out").exists()
