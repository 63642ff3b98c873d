"""job.toml: what is written is read back, and every mistake in a file is named at once."""

import os
from pathlib import Path

import pytest

from image_classifier.contract.errors import UserError
from image_classifier.runners import experiment
from image_classifier.runners.experiment import Experiment

EVERYTHING = """
name = "flowers"
training = "photos/train"
validation = "s3://bucket/validation"
model = "lite0"
runner = "sagemaker"

[hyperparameters]
recipe = "builtin"
epochs = 5
learning_rate = 1e-5
train_only_top_layer = true
class_weights = { cat = 2.5 }

[docker]
image = "image-classifier:gpu"

[sagemaker]
instance_count = 2
spot = true
subnets = ["subnet-1", "subnet-2"]
tags = { team = "vision" }
"""


def written(tmp_path: Path, text: str) -> Path:
    """Return a job.toml with that text."""
    path = tmp_path / "job.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_file_with_everything(tmp_path: Path) -> None:
    """Given every kind of value -> hyperparameters as texts, local paths from the file's folder, options by runner."""
    found = experiment.read(written(tmp_path, EVERYTHING))
    assert found.training == str(tmp_path / "photos/train")
    assert found.channels == {"training": found.training, "validation": "s3://bucket/validation"}
    assert (found.model, found.runner) == ("lite0", "sagemaker")
    assert found.hyperparameters == {
        "recipe": "builtin",
        "epochs": "5",
        "learning_rate": "0.00001",
        "train_only_top_layer": "True",
        "class_weights": '{"cat": 2.5}',
    }
    assert found.runner_options["tags"] == {"team": "vision"}
    assert found.options["docker"] == {"image": "image-classifier:gpu"}


def test_model_in_a_folder_is_told_from_a_name(tmp_path: Path) -> None:
    """Given a model that exists beside the file -> its path; given one that does not -> the name as it is."""
    (tmp_path / "backbone").mkdir()
    text = 'name = "a"\ntraining = "/photos"\nmodel = "backbone"\n'
    assert experiment.read(written(tmp_path, text)).model == str(tmp_path / "backbone")
    assert experiment.read(written(tmp_path, text.replace("backbone", "lite4"))).model == "lite4"


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    """Given the file with everything -> the experiment read from its text is equal, and so is its text."""
    found = experiment.read(written(tmp_path, EVERYTHING))
    experiment.write(tmp_path / experiment.FILE, found)
    again = experiment.read(tmp_path / experiment.FILE)
    assert again == found
    assert experiment.text(again) == experiment.text(found)
    assert "epochs = 5\n" in experiment.text(found)


@pytest.mark.parametrize(
    "folder",
    [
        'quote"back\\slash',
        "line\nfeed\x1f\x7f",
        "# [not a table]",
        "café/日本語/🌻",
        os.fsdecode(b"caf\xe9"),
        "a = 'b'",
    ],
    ids=ascii,
)
def test_hostile_folder_names_survive(tmp_path: Path, folder: str) -> None:
    """Given a folder whose name is TOML's own punctuation, or bytes that are not UTF-8 -> read back byte for byte."""
    given = Experiment("a", f"/photos/{folder}", model=f"/models/{folder}", hyperparameters={"model_uri": "s3://b/#\n"})
    experiment.write(tmp_path / "job.toml", given)
    assert experiment.read(tmp_path / "job.toml") == given


def test_paths_are_taken_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a home, a folder with a tilde in its name, and a step up from a link -> the folders that are meant."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "elsewhere" / "deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere" / "deep")
    text = 'name = "a"\ntraining = "~/photos"\nvalidation = "~tilde"\ntest = "link/../photos"\n'
    found = experiment.read(written(tmp_path, text))
    assert found.training == str(tmp_path / "home" / "photos")
    assert found.validation == str(tmp_path / "~tilde")
    assert found.test == str(tmp_path / "elsewhere" / "photos")


@pytest.mark.parametrize("value", ["5", "05", "5.0", "True", "true", "none", "nan", "1e5", "-3", "0.1", "", "1_000"])
def test_texts_of_hyperparameters_are_kept(tmp_path: Path, value: str) -> None:
    """Given a value that resembles a number or a boolean -> the very same text afterwards."""
    given = Experiment("a", "/photos", hyperparameters={"model_id": value})
    experiment.write(tmp_path / "job.toml", given)
    assert experiment.read(tmp_path / "job.toml").hyperparameters == given.hyperparameters


def test_every_problem_is_named_at_once(tmp_path: Path) -> None:
    """Given mistakes in keys, types, hyperparameters and the runner -> one message that has a sentence for each."""
    text = """
    name = "my flowers"
    trainning = "photos"
    test = 3
    batch-size = 8
    runner = "sagemeker"
    sagemaker = "ml.m5.large"
    docker = { image = 2026-11-30 }
    [hyperparameters]
    epochs = "none at all"
    learnign_rate = 0.1
    """
    with pytest.raises(UserError) as rejected:
        experiment.read(written(tmp_path, text))
    for sentence in (
        'Unknown key "trainning". Did you mean training?',
        'Unknown key "batch-size". It is a hyperparameter: write it below [hyperparameters].',
        'name is "my flowers"; expected 1 to 63 letters, digits and hyphens, such as my-flowers.',
        "training is missing.",
        "test is 3; expected a text in quotes.",
        'runner is "sagemeker"; expected one of: local, docker, sagemaker.',
        'sagemaker is "ml.m5.large"; expected a table, [sagemaker].',
        'image in [docker] is "2026-11-30"; expected a text,',
        "epochs",
        "Did you mean learning_rate?",
    ):
        assert sentence in str(rejected.value)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'name = "a', r"is not TOML: Unterminated.*See docs/guides/train-locally"),
        (b'name = "caf\xe9"', "is not TOML: byte 11 is not UTF-8"),
    ],
    ids=["unterminated", "Latin-1"],
)
def test_file_that_is_not_toml(tmp_path: Path, content: bytes, reason: str) -> None:
    """Given a broken file -> its path and where it is broken."""
    (tmp_path / "job.toml").write_bytes(content)
    with pytest.raises(UserError, match=reason):
        experiment.read(tmp_path / "job.toml")
    with pytest.raises(UserError, match=r"absent\.toml cannot be read: No such file"):
        experiment.read(tmp_path / "absent.toml")


@pytest.mark.parametrize(
    ("text", "name"), [("my flowers!", "my-flowers"), ("-", "job"), ("20261130-1", "20261130-1"), ("x" * 70, "x" * 63)]
)
def test_names_are_made_from_any_text(text: str, name: str) -> None:
    """Given a folder's name -> the valid name that resembles it."""
    assert experiment.name_from(text) == name
    assert experiment.problems(Experiment(name, "/photos")) == []


def test_file_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    """Given a file as an editor of Windows saves it -> read as without the mark."""
    (tmp_path / "job.toml").write_text('name = "a"\ntraining = "/photos"\n', encoding="utf-8-sig")
    assert experiment.read(tmp_path / "job.toml").training == "/photos"
