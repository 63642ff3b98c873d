"""Training on a laptop: the tree, the words of the command, the advice."""

import json
from pathlib import Path

import pytest

from image_classifier.contract.errors import UserError
from image_classifier.local import train_locally
from image_classifier.local.train_locally import LocalJob


def test_tree_is_laid_out_as_the_platform_does(tmp_path: Path) -> None:
    """Folders, an archive and hyperparameters -> channels, configuration and output folders where a job looks."""
    for name in ("pictures", "more"):
        (tmp_path / name / "cat").mkdir(parents=True)
    archive = tmp_path / "lite0.tar.gz"
    archive.write_bytes(b"archive")
    job = LocalJob(
        tmp_path / "pictures", archive, tmp_path / "out", validation=tmp_path / "more", hyperparameters={"epochs": "1"}
    )
    tree = train_locally.build_tree(job)
    assert (tree.channel_dir("training") / "cat").is_dir()
    assert (tree.channel_dir("validation") / "cat").is_dir()
    assert not tree.channel_dir("test").exists()
    assert (tree.channel_dir("model") / "model.tar.gz").read_bytes() == b"archive"
    assert tree.read_hyperparameters() == {"epochs": "1"}
    assert tree.read_resources().hosts == ("algo-1",)
    assert tree.model_dir.is_dir()


def test_second_job_in_the_same_place_starts_clean(tmp_path: Path) -> None:
    """An output folder with an earlier job's files -> the earlier model and failure are gone, the pictures are not."""
    pictures, model = tmp_path / "pictures", tmp_path / "model"
    (pictures / "cat").mkdir(parents=True)
    model.mkdir()
    job = LocalJob(pictures, model, tmp_path / "out")
    tree = train_locally.build_tree(job)
    (tree.model_dir / "old").write_text("x")
    tree.write_failure("old")
    train_locally.build_tree(job)
    assert not (tree.model_dir / "old").exists()
    assert not tree.failure_file.exists()
    assert (pictures / "cat").is_dir()
    assert json.loads(tree.hyperparameters_file.read_text()) == {}


def test_missing_folder_or_model_is_said(tmp_path: Path) -> None:
    """A training folder or a model that does not exist -> one sentence with the option's name."""
    with pytest.raises(UserError, match=r"--training is .*absent, which is no folder"):
        train_locally.build_tree(LocalJob(tmp_path / "absent", tmp_path, tmp_path / "out"))
    with pytest.raises(UserError, match=r"--model is .*absent, which does not exist"):
        train_locally.build_tree(LocalJob(tmp_path, tmp_path / "absent", tmp_path / "out"))


def test_words_become_hyperparameters() -> None:
    """name=value words -> a mapping, further signs of equality kept; a word without one -> refused."""
    assert train_locally.parse_settings(["epochs=5", "model_id=a=b"]) == {"epochs": "5", "model_id": "a=b"}
    with pytest.raises(UserError, match="name=value, such as epochs=5; got epochs"):
        train_locally.parse_settings(["epochs"])


def test_advice_when_the_whole_network_would_be_tuned() -> None:
    """The defaults -> a line that says what to write; the head alone, under any spelling -> none."""
    line = train_locally.advice({})
    assert line is not None
    assert "train_only_top_layer=True" in line
    assert train_locally.advice({"train-only-on-top": "true"}) is None


def test_command_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder that does not exist, from the command line -> exit 1 and one sentence."""
    arguments = ["--training", str(tmp_path / "absent"), "--model", str(tmp_path), "--output", str(tmp_path / "out")]
    assert train_locally.main([*arguments, "train_only_top_layer=True"]) == 1
    assert capsys.readouterr().err.startswith("UserError: --training is")
