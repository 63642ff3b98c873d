"""Each recipe in a training of a whole network: what it does to the backbone, against plain training."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from image_classifier.resources.processors import has_bfloat16
from image_classifier.training import fine_tuning
from image_classifier.training.model import backbone
from image_classifier.training.stopping import StopSignal
from tests.unit.training import small, whole_network
from tests.unit.training.recording import OFF, Array

pytestmark = pytest.mark.no_cover

needs_bfloat16 = pytest.mark.skipif(not has_bfloat16(), reason="this CPU has no bfloat16 instructions")
COMPILED = "Compiled cluster using XLA!"
"""What TensorFlow says, at its most talkative, when XLA has compiled the first of its clusters."""


@pytest.fixture
def train_whole(backbone_folder: Path) -> Callable[..., list[list[Array]]]:
    """Return what trains a small network, and returns the weights before and after each epoch."""
    return lambda **given: whole_network.train(backbone_folder, **given).epochs


def moved(epochs: list[list[Array]]) -> list[Array]:
    """Return by how much the first epoch changed each variable: kernel, bias, then the backbone's."""
    return [after - before for before, after in zip(*epochs[:2], strict=True)]


STATISTICS = slice(-2, None)
"""Where BatchNorm's moving mean and variance stand among the variables of the small network."""


def test_backbone_is_frozen_until_unfreeze_after(train_whole: Callable[..., Any]) -> None:
    """unfreeze_after=2 of three epochs -> two epochs leave every bit of the backbone and train the head by itself."""
    start, first, second, third = train_whole(epochs=3, unfreeze_after=2)
    assert len(start) == 2 + 8
    for frozen in (first, second):
        assert all(map(np.array_equal, start[2:], frozen[2:]))
    assert not any(map(np.array_equal, second[2:], third[2:]))
    for one, other in zip((start, first, second), (first, second, third), strict=True):
        assert not any(map(np.array_equal, one[:2], other[:2]))
    # With augmentation that changes nothing, since a frozen backbone would else be left out.
    still = {"augmentation_random_flip": "None", "augmentation_random_rotation": 0, "augmentation_random_zoom": 0}
    alone = train_whole(epochs=3, train_only_top_layer=True, augmentation=True, **still)
    for ours, wanted in zip(second[:2], alone[2], strict=True):
        np.testing.assert_allclose(ours, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.every
def test_backbone_trains_at_its_share_of_the_rate(train_whole: Callable[..., Any]) -> None:
    """Factors 1, 0.25 and 0 -> full, quarter and no steps of the backbone; head and statistics are equal."""
    whole, quarter, none = (moved(train_whole(backbone_learning_rate_factor=factor)) for factor in (1, 0.25, 0))
    trainable = slice(2, -2)
    for one, other, nothing in zip(whole[trainable], quarter[trainable], none[trainable], strict=True):
        np.testing.assert_allclose(other, 0.25 * one, rtol=2e-2, atol=1e-6)
        assert not nothing.any()
    for part in (slice(2), STATISTICS):
        for one, other, nothing in zip(whole[part], quarter[part], none[part], strict=True):
            assert one.any()
            np.testing.assert_allclose(other, one, rtol=1e-4, atol=1e-6)
            np.testing.assert_allclose(nothing, one, rtol=1e-4, atol=1e-6)


@pytest.mark.every
def test_norm_of_the_whole_network_is_limited(train_whole: Callable[..., Any]) -> None:
    """A limit below the gradient's norm -> a step of exactly that length over head and backbone, in its direction."""
    plain, clipped = (
        np.hstack([np.ravel(one) for one in moved(train_whole(gradient_clip_norm=limit))[:-2]]) for limit in (0, 0.2)
    )
    assert np.linalg.norm(plain) / 0.01 > 0.5
    assert np.linalg.norm(clipped) / 0.01 == pytest.approx(0.2, rel=1e-3)
    assert plain @ clipped / np.linalg.norm(plain) / np.linalg.norm(clipped) == pytest.approx(1, abs=1e-3)


@pytest.mark.every
def test_recipes_that_are_off_do_not_change_the_whole_network(train_whole: Callable[..., Any]) -> None:
    """Every recipe set to off -> the weights of plain training of the whole network."""
    for one, other in zip(train_whole(**OFF)[-1], train_whole()[-1], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-7)


@pytest.mark.every
@needs_bfloat16
def test_bfloat16_trains_nearly_the_same(tmp_path: Path, backbone_folder: Path, read_data: Callable[..., Any]) -> None:
    """mixed_precision=bfloat16 on coloured images -> the loss falls to about that of float32, not to the bit."""
    data = read_data(small.write_images(tmp_path / "images"))
    runs = []
    for kind in ("off", "bfloat16"):
        values = small.settings(batch_size=8, epochs=8, learning_rate=0.01, mixed_precision=kind)
        loaded = backbone.load(backbone_folder, trainable=True, trust=False)
        runs.append(fine_tuning.train(data, loaded, values, StopSignal()))
    exact, rounded = ([epoch["loss"] for epoch in run.history.epochs] for run in runs)
    assert rounded[-1] < 0.8 * rounded[0]
    assert rounded[-1] == pytest.approx(exact[-1], abs=0.1)
    assert 0 < abs(rounded[0] - exact[0]) < 0.05


@needs_bfloat16
def test_only_steps_are_rounded(backbone_folder: Path) -> None:
    """mixed_precision=bfloat16 at a learning rate of 0 -> the predictions of float32, up to the order of sums."""
    exact, rounded = (whole_network.train(backbone_folder, kind, learning_rate=0) for kind in ("off", "bfloat16"))
    np.testing.assert_array_equal(rounded.epochs[1][0], exact.epochs[1][0])
    trained = whole_network.train(backbone_folder, "bfloat16")
    trained.predict(whole_network.rows())
    np.testing.assert_allclose(trained.predictions[1], trained.predictions[0], rtol=1e-6, atol=1e-6)


@pytest.mark.every
@pytest.mark.parametrize("kind", ["off", pytest.param("bfloat16", marks=needs_bfloat16)])
def test_xla_steps_give_the_same_weights(backbone_folder: Path, kind: str) -> None:
    """xla=on, alone and with bfloat16, in a child process -> XLA compiled something, and the weights agree."""
    plain = np.hstack(
        [np.ravel(one) for one in whole_network.train(backbone_folder, **whole_network.SEVERAL).epochs[-1]]
    )
    compiled = whole_network.run("on", kind)
    assert COMPILED in compiled.stderr
    found = json.loads(compiled.stdout)
    if kind == "off":
        np.testing.assert_allclose(found, plain, rtol=1e-3, atol=1e-5)
    else:
        assert 1e-6 < np.abs(found - plain).max() < 0.02
