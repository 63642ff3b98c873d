"""The hyperparameters of the built-in algorithm, under its names and with its ranges.

Names, ranges and defaults come from the developer guide of Image Classification - TensorFlow (pages
IC-TF-Hyperparameter and IC-TF-tuning); where JumpStart's model specification has another default, both are given.
"""

from dataclasses import dataclass
from typing import Any

from image_classifier.contract.declaration import Group, declare

_SINCE = "0.1"
_SHARE: dict[str, Any] = {"minimum": 0.0, "maximum": 1.0, "since": _SINCE}
_OPTIMIZERS = ("adam", "sgd", "nesterov", "rmsprop", "adagrad", "adadelta")
RESIZE_METHODS = ("bilinear", "nearest", "bicubic", "area", "lanczos3", "lanczos5", "gaussian", "mitchellcubic")


@dataclass(frozen=True, kw_only=True)
class BuiltinHyperparameters:
    """Hyperparameters that the built-in algorithm has too, with our defaults."""

    augmentation: bool = declare(
        False,
        group=Group.AUGMENTATION,
        chosen_by_recipe=True,
        meaning="Random augmentation of the training images: flip, rotation and zoom.",
        since=_SINCE,
    )
    augmentation_random_flip: str = declare(
        "horizontal_and_vertical",
        group=Group.AUGMENTATION,
        chosen_by_recipe=True,
        choices=("horizontal_and_vertical", "horizontal", "vertical", "None"),
        meaning="Random flip, with augmentation.",
        since=_SINCE,
    )
    augmentation_random_rotation: float = declare(
        0.2,
        group=Group.AUGMENTATION,
        chosen_by_recipe=True,
        minimum=-1.0,
        maximum=1.0,
        meaning="Maximum rotation as a fraction of a full turn, in both directions, with augmentation.",
        since=_SINCE,
    )
    augmentation_random_zoom: float = declare(
        0.1,
        group=Group.AUGMENTATION,
        chosen_by_recipe=True,
        minimum=-1.0,
        maximum=1.0,
        meaning="Maximum zoom, in and out, as a fraction of the image at constant aspect ratio, with augmentation.",
        since=_SINCE,
    )
    batch_size: int = declare(
        32,
        group=Group.RECIPE,
        minimum=1,
        # A step draws a dropout mask for a whole batch: hundreds of megabytes at this size.
        maximum=65_536,
        tunable=(8, 512),
        recommended=(16, 256),
        logarithmic=True,
        meaning="Global batch size, divided among the GPUs.",
        since=_SINCE,
    )
    beta_1: float = declare(
        0.9,
        group=Group.OPTIMIZER,
        chosen_by_recipe=True,
        **_SHARE,
        tunable=(1e-6, 0.999),
        meaning="Decay rate of the first-moment estimate; adam.",
    )
    beta_2: float = declare(
        0.999,
        group=Group.OPTIMIZER,
        chosen_by_recipe=True,
        **_SHARE,
        tunable=(1e-6, 0.999),
        meaning="Decay rate of the second-moment estimate; adam.",
    )
    binary_mode: bool = declare(
        False,
        group=Group.HEAD,
        meaning="A single sigmoid output: the probability of the second of two classes.",
        since=_SINCE,
    )
    dropout_rate: float = declare(
        0.2,
        group=Group.HEAD,
        chosen_by_recipe=True,
        **_SHARE,
        recommended=(0.0, 0.5),
        excluded={1.0: "which drops every feature, so nothing can be learned"},
        meaning="Dropout rate of the features before the dense layer.",
    )
    early_stopping: bool = declare(
        False,
        group=Group.RECIPE,
        chosen_by_recipe=True,
        meaning="Stop training when the validation metric no longer improves.",
        since=_SINCE,
    )
    early_stopping_min_delta: float = declare(
        0.0,
        group=Group.RECIPE,
        chosen_by_recipe=True,
        **_SHARE,
        meaning="Minimum change that counts as an improvement, with early_stopping.",
    )
    early_stopping_patience: int = declare(
        5,
        group=Group.RECIPE,
        chosen_by_recipe=True,
        minimum=1,
        meaning="Epochs without improvement before training stops, with early_stopping.",
        since=_SINCE,
    )
    epochs: int = declare(
        3,
        group=Group.RECIPE,
        chosen_by_recipe=True,
        may_change_on_resume=True,
        minimum=1,
        recommended=(10, 50),
        logarithmic=True,
        builtin_default=5,
        meaning="Passes over the training images.",
        since=_SINCE,
    )
    epsilon: float = declare(
        1e-7,
        group=Group.OPTIMIZER,
        chosen_by_recipe=True,
        **_SHARE,
        aliases=("eps",),
        tunable=(1e-8, 1.0),
        meaning="Numerical-stability constant; adam, rmsprop, adagrad, adadelta.",
    )
    eval_metric: str = declare(
        "accuracy",
        group=Group.RECIPE,
        chosen_by_recipe=True,
        choices=("accuracy", "precision", "recall", "auc", "prc"),
        meaning="Validation metric used for model selection; all but accuracy require binary_mode.",
        since=_SINCE,
    )
    image_resize_interpolation: str = declare(
        "bilinear",
        group=Group.DATA,
        choices=RESIZE_METHODS,
        meaning="Interpolation with which images are resized to the model's input size, in training and serving.",
        since=_SINCE,
    )
    initial_accumulator_value: float = declare(
        0.0001,
        group=Group.OPTIMIZER,
        chosen_by_recipe=True,
        **_SHARE,
        builtin_default=0.1,
        meaning="Initial value of the accumulators; adagrad.",
    )
    label_smoothing: float = declare(
        0.1,
        group=Group.HEAD,
        chosen_by_recipe=True,
        **_SHARE,
        recommended=(0.0, 0.2),
        meaning="Label smoothing s: of K classes the true one has the target 1-s+s/K, the others s/K.",
    )
    learning_rate: float = declare(
        0.001,
        group=Group.OPTIMIZER,
        chosen_by_recipe=True,
        **_SHARE,
        aliases=("adam_learning_rate",),
        tunable=(1e-6, 0.5),
        recommended=(3e-4, 0.03),
        logarithmic=True,
        meaning="Initial learning rate; see learning_rate_schedule.",
    )
    momentum: float = declare(
        0.9,
        group=Group.OPTIMIZER,
        chosen_by_recipe=True,
        **_SHARE,
        tunable=(0.0, 0.999),
        meaning="Momentum; sgd, nesterov, rmsprop.",
    )
    optimizer: str = declare(
        "adam",
        group=Group.OPTIMIZER,
        chosen_by_recipe=True,
        choices=_OPTIMIZERS,
        tunable=_OPTIMIZERS,
        recommended=("adam", "sgd", "nesterov"),
        meaning="Optimizer; nesterov is sgd with Nesterov momentum.",
        since=_SINCE,
    )
    regularizers_l2: float = declare(
        0.0001,
        group=Group.HEAD,
        chosen_by_recipe=True,
        **_SHARE,
        tunable=(0.0, 0.999),
        recommended=(1e-6, 1e-2),
        logarithmic=True,
        meaning="L2 regularisation of the dense layer's kernel.",
    )
    reinitialize_top_layer: str = declare(
        "Auto",
        group=Group.MODEL,
        from_model=False,
        choices=("Auto", "True", "False"),
        meaning="Whether to initialise a new head; Auto: unless the model was fine-tuned before.",
        since=_SINCE,
    )
    rho: float = declare(
        0.95,
        group=Group.OPTIMIZER,
        chosen_by_recipe=True,
        **_SHARE,
        meaning="Decay rate of the gradient average; adadelta, rmsprop.",
    )
    train_only_top_layer: bool = declare(
        False,
        group=Group.RECIPE,
        aliases=("train_only_on_top_layer", "train_only_on_top"),
        tunable=("True", "False"),
        builtin_default=True,
        meaning="Train only the head and keep the backbone frozen.",
        since=_SINCE,
    )
    validation_split_ratio: float = declare(
        0.2,
        group=Group.DATA,
        from_model=False,
        **_SHARE,
        meaning="Fraction of the training images held out for validation without a validation channel.",
    )
    random_seed: int = declare(
        123,
        group=Group.DATA,
        from_model=False,
        minimum=0,
        # The limit of numpy.random.seed.
        maximum=2**32 - 1,
        meaning="Seed of the split, the image order, the augmentation and the initial weights.",
        since=_SINCE,
    )
