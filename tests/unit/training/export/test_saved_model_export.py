"""The exported SavedModel: complete, trainable again, the same answers, whole or not there."""

import json
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from image_classifier import artifact_checksums, artifacts, imaging
from image_classifier.contract.errors import PlatformError
from image_classifier.training.data.splits import DataSplits
from image_classifier.training.model import backbone
from image_classifier.training.stopping import StopSignal
from tests.unit.training import small

pytestmark = pytest.mark.no_cover


@pytest.fixture(
    scope="module", params=[{}, pytest.param({"binary_mode": True}, marks=pytest.mark.every)], ids=["classes", "binary"]
)
def job(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    backbone_folder: Path,
    read_data: Callable[..., DataSplits],
) -> tuple[Path, Any, Any]:
    """Train a small classifier, export it, and return the model folder, the training's result and the values."""
    from image_classifier.training import fine_tuning
    from image_classifier.training.export import saved_model_export

    base = tmp_path_factory.mktemp("job")
    values = small.settings(train_only_top_layer=True, epochs=4, batch_size=8, learning_rate=0.05, **request.param)
    data = read_data(small.write_images(base / "data", classes=2))
    loaded = backbone.load(backbone_folder, trainable=False, trust=False)
    trained = fine_tuning.train(data, loaded, values, StopSignal())
    folder = base / "model"
    saved_model_export.save(folder, loaded, trained.head, values)
    artifacts.write_labels(folder, data.training.class_names)
    artifacts.write_model_info(
        folder, artifacts.ModelInfo(image_size=loaded.info.image_size, binary_mode=values.binary_mode, finetuned=True)
    )
    return folder, trained, values


def test_both_signatures_answer_as_training_did(job: tuple[Path, Any, Any]) -> None:
    """Pixels and bytes of the validation images -> training's probabilities, within rounding."""
    import tensorflow as tf

    folder, trained, _ = job
    loaded = tf.saved_model.load(str(folder / "1"))
    images = [example.path.read_bytes() for example in trained.validation.examples]
    pixels = np.stack([imaging.load_pixels(image, (32, 40)) for image in images])
    from_pixels = loaded.signatures["pixels"](tf.constant(pixels))
    from_bytes = loaded.signatures["serving_default"](tf.constant(images))
    np.testing.assert_allclose(from_pixels["probabilities"], trained.probabilities, atol=1e-5)
    np.testing.assert_allclose(from_bytes["probabilities"], trained.probabilities, atol=2e-2)
    assert from_pixels["features"].shape == (len(images), 12)
    assert from_pixels["logits"].shape == trained.probabilities.shape


@pytest.mark.every
def test_bytes_signature_works_without_our_code(job: tuple[Path, Any, Any], tmp_path: Path) -> None:
    """A process that has TensorFlow and not this program -> loads the folder and answers bytes with probabilities."""
    folder, trained, _ = job
    image = trained.validation.examples[0].path
    program = (
        "import sys, tensorflow as tf; model = tf.saved_model.load(sys.argv[1]);"
        "answer = model.signatures['serving_default'](tf.constant([open(sys.argv[2], 'rb').read()]));"
        "print(answer['probabilities'].numpy().tolist()); assert 'image_classifier' not in sys.modules"
    )
    command = [sys.executable, "-I", "-c", program, str(folder / "1"), str(image)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    answer = np.array(json.loads(done.stdout.strip().splitlines()[-1]))
    np.testing.assert_allclose(answer[0], trained.probabilities[0], atol=2e-2)


def test_artefact_can_be_trained_again(job: tuple[Path, Any, Any]) -> None:
    """`1/` in a trainable hub.KerasLayer -> a gradient step changes the backbone and the head."""
    import tensorflow as tf
    import tensorflow_hub as hub

    folder, _, _ = job
    layer = hub.KerasLayer(str(folder / "1"), trainable=True)
    images = tf.random.uniform((4, 32, 40, 3), seed=1)
    before = [variable.numpy() for variable in layer.trainable_variables]
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(layer(images, training=True) ** 2) + tf.add_n(layer.losses)
    gradients = tape.gradient(loss, layer.trainable_variables)
    assert len(before) == 6 + 2
    assert all(gradient is not None for gradient in gradients)
    for variable, gradient in zip(layer.trainable_variables, gradients, strict=True):
        variable.assign_sub(0.1 * gradient)
    changed = [not np.array_equal(old, new.numpy()) for old, new in zip(before, layer.trainable_variables, strict=True)]
    # The convolution's bias in front of a BatchNorm has no influence, so its gradient is zero.
    assert sum(changed) >= len(changed) - 1


def test_features_are_reachable_by_name(job: tuple[Path, Any, Any]) -> None:
    """`features` of the loaded root -> the backbone's pooled features, in both modes."""
    import tensorflow as tf

    folder, trained, _ = job
    root = tf.saved_model.load(str(folder / "1"))
    scaled = tf.random.uniform((2, 32, 40, 3), seed=1)
    expected = trained.backbone.features_of_scaled(scaled)
    np.testing.assert_allclose(root.features(scaled, False), expected, atol=1e-5)
    assert root.features(scaled, True).shape == expected.shape


@pytest.mark.parametrize("limit", [2_000, 20_000], ids=["weights", "graph"])
def test_full_disk_leaves_the_old_model(job: tuple[Path, Any, Any], limit: int) -> None:
    """The disk rejects the second export, at its weights or at its graph -> the first is whole, the second is gone."""
    from image_classifier.training.export import saved_model_export

    folder, trained, values = job
    before, names = artifact_checksums.folder_sha256(folder / "1"), sorted(path.name for path in folder.iterdir())
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        with pytest.raises(PlatformError, match=r"/\.saved_model\.partial cannot grow: .* bytes are free there"):
            saved_model_export.save(folder, trained.backbone, trained.head, values)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert artifact_checksums.folder_sha256(folder / "1") == before
    assert sorted(path.name for path in folder.iterdir()) == names
