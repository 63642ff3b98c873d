"""Training on a laptop: the words of the command, the advice, and what is checked before anything is touched."""

import json
from pathlib import Path

import pytest

from image_classifier import own_files
from image_classifier.cli import train_locally
from image_classifier.contract import assignments
from image_classifier.contract.errors import UserError
from image_classifier.runners import chosen_model, job_tree
from image_classifier.runners.job_tree import LocalJob


def test_words_become_hyperparameters() -> None:
    """Given name=value words -> a mapping, further equals signs kept; given a word without one -> rejected."""
    assert assignments.parse(["epochs=5", "model_id=a=b"]) == {"epochs": "5", "model_id": "a=b"}
    with pytest.raises(UserError, match="name=value, such as epochs=5; got epochs"):
        assignments.parse(["epochs"])


def test_advice_when_the_whole_network_would_be_tuned() -> None:
    """Given the defaults -> a line with the right setting; the head alone, in any spelling, or a recipe -> no line."""
    line = train_locally.advice({})
    assert line is not None
    assert "train_only_top_layer=True" in line
    assert train_locally.advice({"train-only-on-top": "true"}) is None
    assert train_locally.advice({"recipe": "auto"}) is None


@pytest.mark.parametrize(
    "told", [{}, {"train_only_top_layer": "True"}, {"batch-size": "8"}, {"refit": "True"}], ids=str
)
def test_recipe_auto_unless_told_otherwise(told: dict[str, str]) -> None:
    """Given nothing that a recipe chooses -> recipe=auto, and one line that names both recipes."""
    settings, line = train_locally.with_recipe(told)
    assert settings == {**told, "recipe": "auto"}
    assert line is not None
    assert line.startswith("Training with recipe=auto; recipe=builtin trains by the hyperparameters")


def test_values_that_a_recipe_chooses_ask_for_the_builtin_one() -> None:
    """Given epochs and a learning rate, or a typed default -> the settings as they are, and a line that names them."""
    assert train_locally.with_recipe({"epochs": "3"}) == (
        {"epochs": "3"},
        "Training with recipe=builtin, since epochs=3 is given.",
    )
    told = {"epochs": "20", "learning-rate": "0.003"}
    line = "Training with recipe=builtin, since epochs=20, learning_rate=0.003 is given."
    assert train_locally.with_recipe(told) == (told, line)
    assert train_locally.with_recipe({"recipe": "builtin"}) == ({"recipe": "builtin"}, None)
    with pytest.raises(UserError) as rejected:
        train_locally.with_recipe({"learning_rate": "0.003", "epochs": "none"})
    assert "recipe" not in str(rejected.value)


def test_command_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Given a missing folder on the command line -> exit code 1 and one sentence."""
    arguments = ["--training", str(tmp_path / "absent"), "--model", str(tmp_path), "--output", str(tmp_path / "out")]
    assert train_locally.main([*arguments, "train_only_top_layer=True"]) == 1
    assert capsys.readouterr().err.startswith("UserError: --training is")


@pytest.mark.parametrize(
    "wrong",
    [["epochs=none"], ["unknown=1"], ["epochs"], ["--training", "absent"], ["--validation", "absent"]],
    ids=" ".join,
)
def test_any_wrong_argument_leaves_an_earlier_job_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: list[str]
) -> None:
    """Given a wrong hyperparameter or a missing channel over an earlier job -> exit code 1, every file kept."""
    monkeypatch.chdir(tmp_path)
    for name in ("images", "backbone"):
        (tmp_path / name).mkdir()
    tree = job_tree.build_tree(LocalJob(tmp_path / "images", tmp_path / "backbone", tmp_path / "out"))
    (tree.model_dir / "labels_info.json").write_text(json.dumps({"labels": ["a", "b"]}))
    before = sorted(tmp_path.rglob("*"))
    words = ["--training", "images", "--model", "backbone", "--output", "out", "train_only_top_layer=True"]
    assert train_locally.main([*words, *wrong]) == 1
    assert sorted(tmp_path.rglob("*")) == before


def test_output_is_checked_before_a_backbone_is_staged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given no --model and a folder of the user as --output -> rejected before EfficientNet-Lite0 is fetched."""

    def unexpected(_: object) -> Path:
        raise AssertionError("staged")

    monkeypatch.setattr(chosen_model.ChosenModel, "fetch", unexpected)
    (tmp_path / "images").mkdir()
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "thesis.tex").touch()
    arguments = ["--training", str(tmp_path / "images"), "--output", str(tmp_path / "notes")]
    assert train_locally.main([*arguments, "train_only_top_layer=True"]) == 1
    assert "is not empty (thesis.tex)" in capsys.readouterr().err


def test_job_that_runs_keeps_its_folder(tmp_path: Path) -> None:
    """Given two jobs with one output folder at once -> the second one is rejected, the first one is complete."""
    for name in ("images", "backbone"):
        (tmp_path / name).mkdir()
    job = LocalJob(tmp_path / "images", tmp_path / "backbone", tmp_path / "out")
    tree = job_tree.build_tree(job)
    with own_files.used_alone(tree.base), pytest.raises(UserError, match="Another job is running in"):
        train_locally.train(job)
    assert tree.hyperparameters_file.is_file()


@pytest.mark.parametrize(
    ("words", "right"),
    [
        (["--epochs", "3"], "epochs=3"),
        (["--learning-rate=0.1"], "learning_rate=0.1"),
        (["--batch-size"], "batch_size=VALUE"),
    ],
    ids=" ".join,
)
def test_options_of_other_programs_are_translated(
    words: list[str], right: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given a hyperparameter as an option, as elsewhere -> exit code 2, and its right form."""
    with pytest.raises(SystemExit, match="2"):
        train_locally.main(["--training", "photos", *words])
    assert capsys.readouterr().err.endswith(f"hyperparameters are written without dashes: write {right}\n")


def test_hyperparameter_given_twice_is_rejected() -> None:
    """One name with two values -> rejected with both; the same value twice -> accepted."""
    assert assignments.parse(["epochs=5", "epochs=5"]) == {"epochs": "5"}
    with pytest.raises(UserError, match=r"^epochs is given twice: 3 and 4\. Give one of them\.$"):
        assignments.parse(["epochs=3", "epochs=4"])


def test_images_that_judge_themselves_are_a_warning(tmp_path: Path) -> None:
    """Given the training images as validation or test, also by a link -> a warning; other folders -> none."""
    (tmp_path / "photos").mkdir()
    (tmp_path / "link").symlink_to("photos")
    training, output = tmp_path / "photos", tmp_path / "out"
    same = LocalJob(training, None, output, validation=tmp_path / "link", test=training)
    assert str(train_locally.seen_images(same)).startswith("WARNING: --validation and --test are the folder of --train")
    assert train_locally.seen_images(LocalJob(training, None, output, validation=output)) is None


def test_variables_are_called_variables() -> None:
    """Given words of an endpoint's environment -> messages about variables, not hyperparameters."""
    with pytest.raises(UserError, match=r"^Environment variables are written name=value, such as A=b; got SERVE\.$"):
        assignments.parse(["SERVE"], "Environment variables", "A=b")
