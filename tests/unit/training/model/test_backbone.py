"""Finding and loading backbones of every form that Hub models come in."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from image_classifier import archives, artifact_checksums, artifacts
from image_classifier.artifacts import ModelInfo
from image_classifier.contract.errors import UserError
from image_classifier.contract.opt_ml import OptMl
from image_classifier.training.model import backbone
from tests.unit.training import small

SIZE = (24, 28)


def put(folder: Path, **info: Any) -> Path:
    """Write the model info beside a SavedModel."""
    artifacts.write_model_info(folder, ModelInfo(**{"image_size": SIZE, **info}))
    return folder


def save_root(folder: Path, call: Any, **signatures: Any) -> None:
    """Save a root whose call is a function of pixels, as authors do without Keras."""
    import tensorflow as tf

    root = tf.__internal__.tracking.AutoTrackable()
    root.weight = tf.Variable(2.0)
    root.variables = root.trainable_variables = [root.weight]
    root.regularization_losses = []
    specification = tf.TensorSpec((None, None, None, 3), tf.float32)
    if call is not None:
        root.__call__ = tf.function(lambda pixels, training=False: call(pixels * root.weight))
        for training in (False, True):
            root.__call__.get_concrete_function(specification, training)
    named = {
        name: tf.function(lambda pixels, f=f: f(pixels * root.weight), input_signature=[specification])
        for name, f in signatures.items()
    }
    tf.saved_model.save(root, str(folder / "1"), signatures=named or None)


def pooled(pixels: Any) -> Any:
    """Average over height and width."""
    import tensorflow as tf

    return tf.reduce_mean(pixels, axis=[1, 2])


def features_of(folder: Path, trainable: bool = False) -> np.ndarray:
    """Load a backbone and return its features of two images of 255."""
    loaded = backbone.load(folder, trainable=trainable, trust=False)
    return np.asarray(loaded.feature_function()(np.full((2, *SIZE, 3), 255, np.uint8)))


def test_model_channel_packed_unpacked_and_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Packed, unpacked, staged as a folder or an archive, alone and unnamed -> found; else both places named."""
    tree = OptMl(tmp_path / "ml")
    hub = tmp_path / "hub"
    monkeypatch.setenv("MODEL_HUB_DIR", str(hub))
    with pytest.raises(
        UserError, match=r"model channel .* is missing or empty, no model_uri is given, and no model_id .*nothing"
    ):
        backbone.locate(tree, "", tmp_path)
    (hub / "folder").mkdir(parents=True)
    assert backbone.locate(tree, "folder", tmp_path) == hub / "folder"
    assert backbone.locate(tree, "", tmp_path) == hub / "folder"
    with pytest.raises(UserError, match=r"absent does not exist \(staged in .*: folder\)"):
        backbone.locate(tree, "absent", tmp_path)
    (hub / "folder" / "file").write_text("x")
    archives.pack(hub / "folder", hub / "packed.tar.gz")
    assert (backbone.locate(tree, "packed", tmp_path / "a") / "file").is_file()
    with pytest.raises(UserError, match=r"no model_id is given \(staged in .*: folder, packed.tar.gz\)"):
        backbone.locate(tree, "", tmp_path)
    with pytest.raises(UserError, match="No backbone to train on"):
        backbone.locate(tree, "../hub/folder", tmp_path)
    channel = tree.channel_dir("model")
    channel.mkdir(parents=True)
    (channel / "model.tar.gz").write_bytes((hub / "packed.tar.gz").read_bytes())
    assert (backbone.locate(tree, "folder", tmp_path / "b") / "file").is_file()
    (channel / "model.tar.gz").rename(channel / "saved_model.pb")
    assert backbone.locate(tree, "folder", tmp_path) == channel


@pytest.mark.parametrize("method", artifacts.PIXEL_SCALING_METHODS)
def test_pixels_are_scaled_as_the_model_info_says(tmp_path: Path, method: str) -> None:
    """White images under each scaling method -> 1 for normalize and center, (1 - mean)/std for ImageNet's."""
    save_root(tmp_path, pooled)
    expected = {"normalize": [1.0] * 3, "center": [1.0] * 3, "standardize_on_imagenet": [2.2489, 2.4286, 2.64]}
    features = features_of(put(tmp_path, pixel_scaling_method=method))
    np.testing.assert_allclose(features, [2 * np.array(expected[method])] * 2, rtol=1e-4)


@pytest.mark.parametrize(
    ("output", "count"),
    [
        (lambda pixels: (pooled(pixels), pixels), 3),
        (lambda pixels: [pooled(pixels)], 3),
        (lambda pixels: pixels, 3),
    ],
    ids=["tuple", "list", "feature map"],
)
def test_tuples_and_feature_maps_are_understood(tmp_path: Path, output: Any, count: int) -> None:
    """A tuple or a list -> its first element; a 4-D output -> its average over height and width; tunable too."""
    save_root(tmp_path, output)
    for trainable in (False, True):
        features = features_of(put(tmp_path), trainable)
        np.testing.assert_allclose(features, np.full((2, count), 2.0), rtol=1e-5)


def test_signature_and_output_key_are_honoured(tmp_path: Path) -> None:
    """A model info that names signature and key -> that output; and it cannot be tuned, which is said."""
    both = {"features": lambda pixels: {"wanted": pooled(pixels), "other": pooled(pixels) * 0}}
    save_root(tmp_path, None, **both)
    folder = put(tmp_path, signature="features", output_key="wanted")
    np.testing.assert_allclose(features_of(folder), np.full((2, 3), 2.0), rtol=1e-5)
    with pytest.raises(UserError, match=r"signature 'features' .*Set train_only_top_layer=True"):
        backbone.load(folder, trainable=True, trust=False)


def test_model_without_call_is_used_by_its_signature(tmp_path: Path) -> None:
    """No Hub call but a serving signature of one output -> used by it, head only."""
    save_root(tmp_path, None, serving_default=lambda pixels: {"only": pooled(pixels)})
    loaded = backbone.load(put(tmp_path), trainable=False, trust=False)
    assert (loaded.tunable, loaded.feature_count) == (False, 3)


def test_tf1_format_module_trains_its_head_alone(tmp_path: Path) -> None:
    """A TF1-format Hub module -> features by its named signature; asked to tune it, the message says why not."""
    import tensorflow as tf

    tf1 = tf.compat.v1
    with tf.Graph().as_default(), tf1.Session() as session:
        pixels = tf1.placeholder(tf.float32, (None, *SIZE, 3))
        weight = tf1.get_variable("weight", initializer=2.0)
        output = tf.reduce_mean(pixels * weight, axis=[1, 2])
        signature = tf1.saved_model.predict_signature_def({"images": pixels}, {"default": output})
        session.run(tf1.global_variables_initializer())
        builder = tf1.saved_model.Builder(str(tmp_path / "1"))
        builder.add_meta_graph_and_variables(session, [], signature_def_map={"default": signature})
        builder.save()
    (tmp_path / "1" / "tfhub_module.pb").write_bytes(b"\x08\x03")
    folder = put(tmp_path)
    np.testing.assert_allclose(features_of(folder), np.full((2, 3), 2.0), rtol=1e-5)
    with pytest.raises(UserError, match="only its head can be trained"):
        backbone.load(folder, trainable=True, trust=False)


def test_classification_model_serves_as_backbone(tmp_path: Path) -> None:
    """A network with a 7-class head -> its seven outputs are the features."""
    import tf_keras

    body = small.build_network((None, None))
    network = tf_keras.Model(body.inputs, tf_keras.layers.Dense(7)(body.output))
    folder = small.save_backbone(tmp_path, ModelInfo(image_size=SIZE, output="logits"), network)
    assert backbone.load(folder, trainable=True, trust=False).feature_count == 7


def test_wrong_size_is_said(tmp_path: Path) -> None:
    """A network made for 24 x 28 pixels with a model info of 30 x 30 -> rejected with the recorded size."""
    folder = small.save_backbone(tmp_path, ModelInfo(image_size=(30, 30)), small.build_network(SIZE))
    with pytest.raises(UserError, match="does not accept images of 30x30 pixels"):
        backbone.load(folder, trainable=False, trust=False)


def test_outputs_that_are_no_features_are_said(tmp_path: Path) -> None:
    """A dictionary without output_key, or one number an image without an axis -> rejected with what was found."""
    save_root(tmp_path / "dictionary", lambda pixels: {"a": pooled(pixels), "b": pixels})
    with pytest.raises(UserError, match=r"keys \['a', 'b'\]; name one as output_key"):
        backbone.load(put(tmp_path / "dictionary"), trainable=False, trust=False)
    save_root(tmp_path / "flat", lambda pixels: pooled(pixels)[:, 0])
    with pytest.raises(UserError, match=r"expected \(images, features\)"):
        backbone.load(put(tmp_path / "flat"), trainable=False, trust=False)


def test_changed_file_is_found_by_the_recorded_checksum(tmp_path: Path) -> None:
    """A staged backbone with one byte changed -> rejected with both checksums; unchanged -> its checksum is kept."""
    folder = small.save_backbone(tmp_path, ModelInfo(image_size=SIZE), small.build_network(SIZE))
    sha256 = artifact_checksums.folder_sha256(folder / "1")
    put(folder, sha256=sha256)
    assert backbone.load(folder, trainable=False, trust=False).info.sha256 == sha256
    data = next((folder / "1" / "variables").glob("*.data*"))
    data.write_bytes(data.read_bytes()[:-1] + b"x")
    with pytest.raises(UserError, match=f"is corrupt: its SavedModel has sha256 .*records {sha256}"):
        backbone.load(folder, trainable=False, trust=False)


def test_truncated_weights_are_said(tmp_path: Path) -> None:
    """A SavedModel whose variables were cut off -> one sentence, no stack of TensorFlow's."""
    folder = small.save_backbone(tmp_path, ModelInfo(image_size=SIZE), small.build_network(SIZE))
    data = next((folder / "1" / "variables").glob("*.data*"))
    data.write_bytes(data.read_bytes()[:100])
    with pytest.raises(UserError, match=r"The backbone in .* cannot be loaded: "):
        backbone.load(folder, trainable=False, trust=False)


def test_model_that_reads_files_is_rejected_unless_trusted(tmp_path: Path) -> None:
    """A graph with a ReadFile operation -> rejected by the operation's name; with trust_model it is loaded."""
    import tensorflow as tf

    secret = tmp_path / "secret"
    secret.write_text("x")
    save_root(
        tmp_path,
        lambda pixels: pooled(pixels) + 0 * tf.cast(tf.strings.length(tf.io.read_file(str(secret))), tf.float32),
    )
    folder = put(tmp_path)
    with pytest.raises(UserError, match="ReadFile"):
        backbone.load(folder, trainable=False, trust=False)
    assert backbone.load(folder, trainable=False, trust=True).feature_count == 3
