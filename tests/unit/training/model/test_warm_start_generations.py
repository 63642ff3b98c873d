"""Training on what an earlier job saved: the same answers to begin with, and no larger from one to the next."""

import functools
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from image_classifier import artifact_checksums, artifacts
from image_classifier.artifacts import ModelInfo
from image_classifier.contract.errors import UserError
from image_classifier.training.data.splits import DataSplits
from image_classifier.training.model import backbone, warm_start
from image_classifier.training.stopping import StopSignal
from tests.support import builtin_artifact
from tests.unit.training import small

pytestmark = pytest.mark.no_cover

HEAD_ONLY = {"train_only_top_layer": True, "epochs": 2, "batch_size": 8, "learning_rate": 0.05}
WHOLE = {**HEAD_ONLY, "train_only_top_layer": False, "learning_rate": 0.01}
FROZEN = {**HEAD_ONLY, "epochs": 1, "learning_rate": 0.0}


def generation(model: Path, data: DataSplits, folder: Path, given: Mapping[str, Any]) -> Any:
    """Train on a model folder and save to another, as a job does; return what training found."""
    from image_classifier.training import fine_tuning
    from image_classifier.training.export import saved_model_export

    values, names = small.settings(**given), data.training.class_names
    start = warm_start.plan(model, artifacts.read_model_info(model), values, names)
    loaded = backbone.load(model, trainable=not values.train_only_top_layer, trust=False)
    loaded = replace(loaded, head=warm_start.kept_head(loaded, start, values, names))
    trained = fine_tuning.train(data, loaded, values, StopSignal())
    saved = saved_model_export.save(folder, loaded, trained.head, values)
    artifacts.write_labels(folder, names)
    info = ModelInfo(image_size=loaded.info.image_size, finetuned=True, binary_mode=values.binary_mode)
    extra = warm_start.lineage(loaded.info)
    artifacts.write_model_info(folder, replace(info, sha256=artifact_checksums.folder_sha256(saved), extra=extra))
    return trained


class Earlier(NamedTuple):
    """A job whose network was tuned, for tests that read it."""

    folder: Path
    data: DataSplits
    trained: Any


EarlierJob = Callable[[bool], Earlier]


@pytest.fixture(scope="module")
def earlier_job(
    tmp_path_factory: pytest.TempPathFactory, backbone_folder: Path, read_data: Callable[..., DataSplits]
) -> EarlierJob:
    """Return a function from binary mode to a job on two classes; each is trained once."""

    @functools.cache
    def of(binary: bool) -> Earlier:
        base = tmp_path_factory.mktemp("earlier")
        data = read_data(small.write_images(base / "data", classes=2))
        given = {**WHOLE, "binary_mode": binary}
        return Earlier(base / "model", data, generation(backbone_folder, data, base / "model", given))

    return of


def milliseconds(folder: Path) -> float:
    """Return the median time of a call of the pixels' signature."""
    import tensorflow as tf

    function = tf.saved_model.load(str(folder / "1")).signatures["pixels"]
    pixels, times = tf.zeros((8, 32, 40, 3), tf.uint8), []
    for _ in range(30):
        started = time.perf_counter()
        function(pixels)
        times.append(time.perf_counter() - started)
    return 1000 * sorted(times)[15]


@pytest.mark.every
@pytest.mark.parametrize("given", [HEAD_ONLY, WHOLE], ids=["head", "whole"])
def test_three_generations_stay_as_small_and_as_fast(
    given: Mapping[str, Any], tmp_path: Path, backbone_folder: Path, images: Path, read_data: Callable[..., DataSplits]
) -> None:
    """Given a job on a job on a job's result -> graph and weights of one size, no slower, accuracy no worse."""
    data, model, sizes, accuracies = read_data(images), backbone_folder, [], []
    for number in range(3):
        trained = generation(model, data, tmp_path / f"{number}", {**given, "epochs": 3})
        model = tmp_path / f"{number}"
        sizes.append((model / "1" / "saved_model.pb").stat().st_size)
        accuracies.append(trained.history.best["val_accuracy"])
    weights = [(tmp_path / f"{n}/1/variables/variables.data-00000-of-00001").stat().st_size for n in range(3)]
    assert max(sizes) < 1.1 * sizes[0]
    assert sizes[2] - sizes[1] < 0.01 * sizes[0]
    assert max(weights) < 1.1 * weights[0]
    assert accuracies[2] >= accuracies[0]
    assert milliseconds(model) < 3 * milliseconds(tmp_path / "0") + 1
    info = artifacts.read_model_info(model)
    first, second = (artifact_checksums.folder_sha256(tmp_path / f"{n}" / "1") for n in range(2))
    assert info.extra["parents"] == [first, second]
    assert info.extra["backbone_sha256"] == artifact_checksums.folder_sha256(backbone_folder / "1")


@pytest.mark.parametrize("binary", [False, pytest.param(True, marks=pytest.mark.every)], ids=["classes", "binary"])
def test_kept_head_begins_where_the_earlier_job_ended(binary: bool, tmp_path: Path, earlier_job: EarlierJob) -> None:
    """Given an earlier job with a tuned network and a learning rate of 0 -> its answers, image for image."""
    first = earlier_job(binary)
    second = generation(first.folder, first.data, tmp_path / "second", {**FROZEN, "binary_mode": binary})
    np.testing.assert_allclose(second.probabilities, first.trained.probabilities, atol=1e-5)


@pytest.mark.every
def test_new_head_stands_on_the_tuned_network(
    tmp_path: Path, backbone_folder: Path, images: Path, read_data: Callable[..., DataSplits]
) -> None:
    """Given reinitialize_top_layer=True and two of three classes -> a head of two on the tuned features."""
    data = read_data(images)
    generation(backbone_folder, data, tmp_path / "first", WHOLE)
    fewer = read_data(small.write_images(tmp_path / "fewer", classes=2))
    trained = generation(tmp_path / "first", fewer, tmp_path / "second", {**FROZEN, "reinitialize_top_layer": "True"})
    assert trained.probabilities.shape[1] == 2
    assert trained.backbone.head is None
    pixels = np.zeros((1, 32, 40, 3), np.uint8)
    features = [
        np.asarray(backbone.load(folder, trainable=False, trust=False).feature_function()(pixels))
        for folder in (backbone_folder, tmp_path / "first", tmp_path / "second")
    ]
    np.testing.assert_allclose(features[1], features[2], atol=1e-6)
    assert np.abs(features[0] - features[1]).max() > 1e-3


@pytest.mark.parametrize("binary", [False, True], ids=["classes", "binary"])
def test_head_follows_the_names(binary: bool) -> None:
    """Given the same classes in another order -> each class keeps its own probability."""
    import tensorflow as tf

    from image_classifier.training.model.earlier_model import Head

    noise, earlier = np.random.default_rng(0), ("ant", "bee") if binary else ("ant", "bee", "cow")
    units = 1 if binary else 3
    head = Head(noise.normal(size=(4, units)).astype(np.float32), noise.normal(size=units).astype(np.float32))
    turned = head.in_order(earlier, earlier[::-1])
    features = noise.normal(size=(5, 4)).astype(np.float32)
    activation = (lambda z: np.hstack([1 - tf.sigmoid(z), tf.sigmoid(z)])) if binary else tf.nn.softmax
    before, after = (activation(features @ one.kernel + one.bias) for one in (head, turned))
    np.testing.assert_allclose(np.asarray(before)[:, ::-1], after, atol=1e-6)


@pytest.mark.every
def test_other_mode_is_rejected(tmp_path: Path, backbone_folder: Path, read_data: Callable[..., DataSplits]) -> None:
    """Given a head of binary mode and a job without, and the other way round -> one sentence, and True as a way out."""
    data = read_data(small.write_images(tmp_path / "data", classes=2))
    for binary in (True, False):
        earlier = tmp_path / f"binary-{binary}"
        generation(backbone_folder, data, earlier, {**FROZEN, "binary_mode": binary})
        other = {**FROZEN, "binary_mode": not binary}
        with pytest.raises(UserError, match=rf"trained with binary_mode={binary}, .* has binary_mode={not binary},"):
            generation(earlier, data, tmp_path / "never", other)
        trained = generation(earlier, data, tmp_path / "new", {**other, "reinitialize_top_layer": "True"})
        assert trained.probabilities.shape[1] == (2 if binary else 1)


def test_head_that_does_not_fit_its_labels_is_rejected(
    tmp_path: Path, earlier_job: EarlierJob, read_data: Callable[..., DataSplits]
) -> None:
    """Given an earlier model whose label file is another model's -> rejected with both shapes."""
    shutil.copytree(earlier_job(False).folder, tmp_path / "first")
    four = read_data(small.write_images(tmp_path / "four", classes=4, count=4))
    artifacts.write_labels(tmp_path / "first", four.training.class_names)
    with pytest.raises(UserError, match=r"kernel of shape \(12, 2\); expected \(12, 4\)"):
        generation(tmp_path / "first", four, tmp_path / "never", FROZEN)


@pytest.mark.every
@pytest.mark.parametrize("form", ["named signature", "TF1 module"])
def test_model_without_training_mode_goes_on_frozen(
    form: str, tmp_path: Path, images: Path, read_data: Callable[..., DataSplits]
) -> None:
    """Given a backbone called by a signature -> three generations of heads, the same size; tuning is rejected."""
    model, data, sizes = tmp_path / "signature", read_data(images), []
    network = small.build_network((32, 40))
    if form == "TF1 module":
        from tests.families import tf1_module

        tf1_module.save(network, model / artifacts.SAVED_MODEL_DIR)
        artifacts.write_model_info(model, ModelInfo(image_size=(32, 40)))
    else:
        small.save_backbone(model, ModelInfo(image_size=(32, 40), signature="serving_default"), network)
    for number in range(3):
        generation(model, data, tmp_path / f"{number}", HEAD_ONLY)
        model = tmp_path / f"{number}"
        sizes.append((model / "1" / "saved_model.pb").stat().st_size)
    assert sizes[2] < 1.1 * sizes[0]
    pixels = np.full((1, 32, 40, 3), 99, np.uint8)
    first, last = (
        np.asarray(backbone.load(folder, trainable=False, trust=False).feature_function()(pixels))
        for folder in (tmp_path / "signature", model)
    )
    np.testing.assert_allclose(first, last, atol=1e-6)
    with pytest.raises(UserError, match="Set train_only_top_layer=True"):
        generation(model, data, tmp_path / "never", WHOLE)


@pytest.mark.every
@pytest.mark.parametrize("tuned", [True, False], ids=["whole", "head"])
@pytest.mark.parametrize("binary", [False, True], ids=["classes", "binary"])
def test_builtin_artefact_goes_on(
    tuned: bool, binary: bool, tmp_path: Path, backbone_folder: Path, read_data: Callable[..., DataSplits]
) -> None:
    """Given an artefact in the built-in's layout -> its answers to begin with; then its network can be tuned."""
    import tensorflow as tf

    from image_classifier import imaging

    data = read_data(small.write_images(tmp_path / "data", classes=2))
    names, folder = data.training.class_names, tmp_path / "builtin"
    model = builtin_artifact.save(folder, backbone_folder / "1", names, (32, 40), tuned, binary)
    mode = {"binary_mode": binary}
    trained = generation(folder, data, tmp_path / "second", {**FROZEN, **mode})
    images = [example.path.read_bytes() for example in trained.validation.examples]
    pixels = np.stack([imaging.load_pixels(image, (32, 40)) for image in images])
    answers = model(pixels.astype(np.float32) / 255, training=False)
    expected = answers if binary else tf.nn.softmax(answers)
    np.testing.assert_allclose(trained.probabilities, expected, atol=1e-5)
    again = generation(folder, data, tmp_path / "third", {**WHOLE, **mode, "epochs": 1})
    assert again.trainable_parameters > trained.trainable_parameters


def test_fine_tuned_model_of_unknown_make_is_rejected(tmp_path: Path, read_data: Callable[..., DataSplits]) -> None:
    """Given a plain network whose model info says that it is fine-tuned -> rejected: no head can be told apart."""
    info = ModelInfo(image_size=(32, 40), finetuned=True)
    folder = small.save_backbone(tmp_path / "odd", info, small.build_network((32, 40)))
    with pytest.raises(UserError, match="cannot be separated"):
        backbone.load(folder, trainable=False, trust=False)


@pytest.mark.every
def test_earlier_model_without_its_model_info_is_no_backbone(tmp_path: Path, backbone_folder: Path) -> None:
    """Given a built-in's artefact that lost its model info -> rejected, not trained on its logits; says what to put."""
    folder = tmp_path / "builtin"
    builtin_artifact.save(folder, backbone_folder / "1", ("ant", "bee"), (32, 40))
    (folder / artifacts.MODEL_INFO_FILE).unlink()
    with pytest.raises(UserError, match=r"its model info is missing.*\"finetuned\": true"):
        backbone.load(folder, trainable=False, trust=False)
