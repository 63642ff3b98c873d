"""The parts that are trained: optimizers, augmentation, loss, head."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from image_classifier.training import backbone
from tests.unit.training import small


def test_optimizers_take_their_own_hyperparameters() -> None:
    """Values that are nobody's default -> found in the optimizer that uses them, nesterov where it is asked for."""
    from image_classifier.training import classifier

    given: dict[str, Any] = {
        "learning_rate": 0.011,
        "beta_1": 0.81,
        "beta_2": 0.82,
        "epsilon": 0.0013,
        "momentum": 0.71,
        "rho": 0.91,
        "initial_accumulator_value": 0.07,
    }
    expected: dict[str, dict[str, Any]] = {
        "adam": {"beta_1": 0.81, "beta_2": 0.82, "epsilon": 0.0013, "amsgrad": False},
        "sgd": {"momentum": 0.71, "nesterov": False},
        "nesterov": {"momentum": 0.71, "nesterov": True},
        "rmsprop": {"rho": 0.91, "momentum": 0.71, "epsilon": 0.0013, "centered": False},
        "adagrad": {"initial_accumulator_value": 0.07, "epsilon": 0.0013},
        "adadelta": {"rho": 0.91, "epsilon": 0.0013},
    }
    for name, wanted in expected.items():
        config = classifier.build_optimizer(small.settings(optimizer=name, **given)).get_config()
        assert {key: config[key] for key in wanted} == wanted, name
        assert config["learning_rate"] == pytest.approx(0.011)


def test_augmentation_factors_go_to_their_own_layers() -> None:
    """Rotation -0.3, zoom 0.15, flip vertical -> each layer has its own factor; a zero factor has no layer."""
    from image_classifier.training import classifier

    given: dict[str, Any] = {
        "augmentation": True,
        "augmentation_random_flip": "vertical",
        "augmentation_random_rotation": -0.3,
    }
    layers = classifier.augmentation(small.settings(**given, augmentation_random_zoom=0.15))
    configs = {layer.name: layer.get_config() for layer in layers}
    assert configs["flip"]["mode"] == "vertical"
    assert configs["rotation"]["factor"] == 0.3
    assert configs["zoom"]["height_factor"] == 0.15
    assert configs["zoom"]["width_factor"] is None
    nothing = {"augmentation_random_rotation": 0, "augmentation_random_zoom": 0, "augmentation_random_flip": "None"}
    assert classifier.augmentation(small.settings(augmentation=True, **nothing)) == []
    assert classifier.augmentation(small.settings()) == []


def test_augmentation_changes_training_pictures_alone(backbone_folder: Path) -> None:
    """The augmented network on one picture -> another output each time in training, the same one otherwise."""
    import tensorflow as tf

    from image_classifier.training import classifier

    values = small.settings(augmentation=True, train_only_top_layer=True, dropout_rate=0.0)
    loaded = backbone.load(backbone_folder, trainable=False, trust=False)
    head = classifier.build_head(values, loaded.feature_count, 3)
    model = classifier.build_whole(values, loaded, head, classifier.augmentation(values))
    picture = tf.constant(np.random.default_rng(0).integers(0, 256, (1, 32, 40, 3)), tf.uint8)
    quiet = [model(picture, training=False).numpy() for _ in range(2)]
    random = [model(picture, training=True).numpy() for _ in range(2)]
    assert np.array_equal(*quiet)
    assert not np.allclose(*random)


def test_label_smoothing_moves_the_targets() -> None:
    """Smoothing 0.3 with three classes -> the loss of targets 0.8, 0.1, 0.1; binary: 0.85 and 0.15."""
    from image_classifier.training import classifier

    logits = np.array([[2.0, 0.5, -1.0]], np.float32)
    loss = float(classifier.build_loss(small.settings(label_smoothing=0.3))(np.eye(3, dtype=np.float32)[:1], logits))
    log_share = logits[0] - math.log(np.exp(logits[0]).sum())
    assert loss == pytest.approx(-(0.8 * log_share[0] + 0.1 * log_share[1] + 0.1 * log_share[2]), rel=1e-5)
    binary = classifier.build_loss(small.settings(label_smoothing=0.3, binary_mode=True))
    expected = -(0.85 * math.log(0.7) + 0.15 * math.log(0.3))
    assert float(binary(np.array([[1.0]], np.float32), np.array([[0.7]], np.float32))) == pytest.approx(expected)


def test_penalty_acts_on_the_kernel_alone() -> None:
    """Weights and bias of one -> the head's penalty is the factor times the kernel's squares, without the bias."""
    from image_classifier.training import classifier

    head = classifier.build_head(small.settings(regularizers_l2=0.5), 4, 3)
    head.set_weights([np.ones((4, 3)), np.full(3, 7.0)])
    assert [float(loss) for loss in head.losses] == [pytest.approx(0.5 * 12)]
