"""The model folder of a job: what no job wrote is not replaced."""

import json
from pathlib import Path

import pytest

from image_classifier import artifacts
from image_classifier.contract.errors import UserError
from image_classifier.contract.opt_ml import OptMl
from image_classifier.training.model import model_folder

OF_A_JOB = {"finetuned": True, "hyperparameter_sources": {}}


@pytest.fixture
def tree(tmp_path: Path) -> OptMl:
    """A platform's tree with an empty model folder and a training channel."""
    tree = OptMl(tmp_path)
    tree.channel_dir("training").mkdir(parents=True)
    tree.model_dir.mkdir()
    return tree


def put(tree: OptMl, name: str, text: str = "x") -> Path:
    """Put a file into the model folder."""
    path = tree.model_dir / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    "name",
    [
        *("1/saved_model.pb", "openvino/model.xml", "labels_info.json", "__model_info__.json", "familiarity.npz"),
        "drift_baseline.npz",
    ],
)
def test_model_of_the_user_is_kept(tree: OptMl, name: str) -> None:
    """A model, an IR or a label file that no job wrote -> rejected by its name before training."""
    path = put(tree, name)
    with pytest.raises(UserError, match=rf"holds {name.split('/')[0]}, which no job wrote"):
        model_folder.check(tree)
    assert path.read_text() == "x"


def test_backbone_is_kept(tree: OptMl) -> None:
    """A staged backbone with its model info -> rejected, since no job wrote it."""
    put(tree, "1/saved_model.pb")
    put(tree, artifacts.MODEL_INFO_FILE, json.dumps({"finetuned": False, "source": "a"}))
    with pytest.raises(UserError, match="give it as the model channel"):
        model_folder.check(tree)


def test_result_of_an_earlier_job_is_replaced(tree: OptMl) -> None:
    """A model whose info a job wrote, or one that a killed job left without -> allowed; other files do not matter."""
    put(tree, "notes.txt")
    model_folder.check(tree)
    put(tree, "1/saved_model.pb")
    put(tree, model_folder.UNFINISHED, "")
    model_folder.check(tree)
    (tree.model_dir / model_folder.UNFINISHED).unlink()
    put(tree, artifacts.MODEL_INFO_FILE, json.dumps(OF_A_JOB))
    model_folder.check(tree)
    kept = sorted(path.relative_to(tree.model_dir).as_posix() for path in tree.model_dir.rglob("*") if path.is_file())
    assert kept == sorted(["1/saved_model.pb", artifacts.MODEL_INFO_FILE, "notes.txt"])


@pytest.mark.parametrize("name", ["1", "openvino", "labels_info.json"])
def test_link_is_rejected(tree: OptMl, tmp_path: Path, name: str) -> None:
    """A link where the job would write -> rejected, also beside a job's model info."""
    put(tree, artifacts.MODEL_INFO_FILE, json.dumps(OF_A_JOB))
    (tree.model_dir / name).symlink_to(tmp_path)
    with pytest.raises(UserError, match=f"holds {name}, which no job wrote"):
        model_folder.check(tree)


def test_channel_in_the_model_folder_is_rejected(tree: OptMl) -> None:
    """The model channel is a link to the model folder -> rejected, since the job would replace what it starts from."""
    put(tree, "1/saved_model.pb")
    put(tree, artifacts.MODEL_INFO_FILE, json.dumps(OF_A_JOB))
    tree.channel_dir("model").symlink_to(tree.model_dir)
    with pytest.raises(UserError, match=r"The model channel .* is inside"):
        model_folder.check(tree)


def test_evaluation_of_an_earlier_model_is_removed(tree: OptMl) -> None:
    """What an evaluation of the earlier model left, and other files -> removed beside a new model, kept if it fails."""
    paths = [put(tree, name) for name in artifacts.EVALUATION_FILES]
    other = put(tree, "notes.txt")
    with pytest.raises(OSError, match="full"), model_folder.unfinished(tree.model_dir):
        raise OSError("full")
    assert all(path.is_file() for path in paths)
    with model_folder.unfinished(tree.model_dir):
        put(tree, "1/saved_model.pb")
    assert [path for path in paths if path.exists()] == []
    assert other.is_file()


def test_marker_lies_there_until_the_model_info_does(tree: OptMl) -> None:
    """A SavedModel that is written and recorded -> the marker in between; an export that fails -> no marker."""
    with model_folder.unfinished(tree.model_dir):
        assert (tree.model_dir / model_folder.UNFINISHED).is_file()
        put(tree, "1/saved_model.pb")
    assert [path.name for path in tree.model_dir.iterdir()] == ["1"]
    with pytest.raises(OSError, match="full"), model_folder.unfinished(tree.model_dir):
        raise OSError("full")
    assert [path.name for path in tree.model_dir.iterdir()] == ["1"]


def test_marker_stays_when_the_model_info_cannot_be_written(tree: OptMl) -> None:
    """A new SavedModel, and then a full disk -> the marker stays, and the next job may replace the model."""
    marked = model_folder.unfinished(tree.model_dir)
    marked.__enter__()
    put(tree, "1/saved_model.pb")
    assert not marked.__exit__(OSError, OSError("full"), None)
    assert (tree.model_dir / model_folder.UNFINISHED).is_file()
    model_folder.check(tree)
