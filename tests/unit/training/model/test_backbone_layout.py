"""Backbones without a model info, and the folders that they come in."""

from pathlib import Path

import pytest

from image_classifier import archives, artifacts
from image_classifier.contract.errors import UserError
from image_classifier.contract.opt_ml import OptMl
from image_classifier.training.model import backbone
from tests.unit.training.model.test_backbone import SIZE, pooled, put, save_root


def test_backbone_without_model_info_says_what_is_assumed(tmp_path: Path) -> None:
    """A Hub archive as it is downloaded -> the size its signature fixes, else 224, with a warning that names them."""
    import tensorflow as tf

    save_root(tmp_path / "any", pooled)
    loaded = backbone.load(tmp_path / "any", trainable=False, trust=False)
    assert loaded.info.image_size == (224, 224)
    assert "224x224 pixels (assumed), pixel_scaling_method normalize (assumed)" in str(loaded.warning)
    root = tf.__internal__.tracking.AutoTrackable()
    root.__call__ = tf.function(pooled, input_signature=[tf.TensorSpec((None, 40, 56, 3), tf.float32)])
    tf.saved_model.save(root, str(tmp_path / "fixed" / "1"))
    loaded = backbone.load(tmp_path / "fixed", trainable=False, trust=False)
    assert loaded.info.image_size == (40, 56)
    assert "40x56 pixels (from its signature)" in str(loaded.warning)
    assert backbone.load(put(tmp_path / "any"), trainable=False, trust=False).warning is None


def test_model_info_that_contradicts_the_signature_is_said(tmp_path: Path) -> None:
    """A recorded size that the signature rules out -> a sentence with the recorded one."""
    import tensorflow as tf

    root = tf.__internal__.tracking.AutoTrackable()
    root.__call__ = tf.function(pooled, input_signature=[tf.TensorSpec((None, 40, 56, 3), tf.float32)])
    tf.saved_model.save(root, str(tmp_path / "1"))
    with pytest.raises(UserError, match=r"does not accept images of 24x28 pixels, the image_size of its model info"):
        backbone.load(put(tmp_path), trainable=False, trust=False)


def test_folder_around_everything_and_versions_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A channel whose archive has a folder around two versions -> the folder within, and a line for each choice."""
    for version in ("1", "2"):
        path = tmp_path / "content" / "my-model" / version / "saved_model.pb"
        path.parent.mkdir(parents=True)
        path.write_bytes(b"graph")
    put(tmp_path / "content" / "my-model")
    tree = OptMl(tmp_path / "ml")
    tree.channel_dir("model").mkdir(parents=True)
    archives.pack(tmp_path / "content", tree.channel_dir("model") / "model.tgz")
    found = backbone.locate(tree, "", tmp_path / "scratch")
    assert artifacts.read_model_info(found).image_size == SIZE
    assert artifacts.saved_model_folder(found).name == "2"
    said = capsys.readouterr().out
    assert "The model is in my-model/ of" in said
    assert "using version 2, the highest" in said


@pytest.mark.parametrize("name", [".DS_Store", "._model.tar.gz", "__MACOSX/x"])
def test_channel_of_hidden_files_is_empty(tmp_path: Path, name: str) -> None:
    """A model channel with nothing but what systems leave -> the sentence of an empty one."""
    tree = OptMl(tmp_path / "ml")
    (tree.channel_dir("model") / name).parent.mkdir(parents=True)
    (tree.channel_dir("model") / name).write_bytes(b"x")
    with pytest.raises(UserError, match="is missing or empty"):
        backbone.locate(tree, "", tmp_path)
