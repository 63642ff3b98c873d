"""The hyperparameters of the built-in algorithm, under its names, with its ranges and meanings.

Names, ranges and defaults are those of the developer guide of Image Classification - TensorFlow (pages
IC-TF-Hyperparameter and IC-TF-tuning); where JumpStart's model specification has another default, both are given.
"""

from dataclasses import dataclass
from typing import Any

from image_classifier.contract.declaration import declare

_SINCE = "0.1"
_SHARE: dict[str, Any] = {"minimum": 0.0, "maximum": 1.0, "since": _SINCE}
_OPTIMIZERS = ("adam", "sgd", "nesterov", "rmsprop", "adagrad", "adadelta")
_RESIZE_METHODS = ("bilinear", "nearest", "bicubic", "area", "lanczos3", "lanczos5", "gaussian", "mitchellcubic")


@dataclass(frozen=True, kw_only=True)
class BuiltinHyperparameters:
    """What a job of the built-in algorithm can be told, with our defaults."""

    augmentation: bool = declare(
        False, meaning="Change training images at random: flip, rotation and zoom.", since=_SINCE
    )
    augmentation_random_flip: str = declare(
        "horizontal_and_vertical",
        choices=("horizontal_and_vertical", "horizontal", "vertical", "None"),
        meaning="How images may be mirrored, with augmentation.",
        since=_SINCE,
    )
    augmentation_random_rotation: float = declare(
        0.2,
        minimum=-1.0,
        maximum=1.0,
        meaning="Largest rotation, a share of a full turn, with augmentation; in both directions, whatever its sign.",
        since=_SINCE,
    )
    augmentation_random_zoom: float = declare(
        0.1,
        minimum=-1.0,
        maximum=1.0,
        meaning="Largest zoom, a share of the image, with augmentation; drawn in and out, the aspect ratio is kept.",
        since=_SINCE,
    )
    batch_size: int = declare(
        32, minimum=1, tunable=(8, 512), meaning="Images a step, divided over the GPUs.", since=_SINCE
    )
    beta_1: float = declare(0.9, **_SHARE, tunable=(1e-6, 0.999), meaning="Decay of the first moment estimate; adam.")
    beta_2: float = declare(
        0.999, **_SHARE, tunable=(1e-6, 0.999), meaning="Decay of the second moment estimate; adam."
    )
    binary_mode: bool = declare(
        False, meaning="One sigmoid output, the probability of the second of two classes.", since=_SINCE
    )
    dropout_rate: float = declare(
        0.2,
        **_SHARE,
        excluded={1.0: "which drops every feature, so nothing could be learnt"},
        meaning="Share of the features dropped before the dense layer.",
    )
    early_stopping: bool = declare(False, meaning="End when the validation metric makes no progress.", since=_SINCE)
    early_stopping_min_delta: float = declare(0.0, **_SHARE, meaning="What counts as progress, with early_stopping.")
    early_stopping_patience: int = declare(
        5, minimum=1, meaning="Epochs to wait for progress, with early_stopping.", since=_SINCE
    )
    epochs: int = declare(
        3,
        may_change_on_resume=True,
        minimum=1,
        builtin_default=5,
        meaning="Passes over the training images.",
        since=_SINCE,
    )
    epsilon: float = declare(
        1e-7,
        **_SHARE,
        aliases=("eps",),
        tunable=(1e-8, 1.0),
        meaning="Keeps a division from being by zero; adam, rmsprop, adagrad, adadelta.",
    )
    eval_metric: str = declare(
        "accuracy",
        choices=("accuracy", "precision", "recall", "auc", "prc"),
        meaning="Which validation metric chooses the best epoch; any but accuracy needs binary_mode.",
        since=_SINCE,
    )
    image_resize_interpolation: str = declare(
        "bilinear",
        choices=_RESIZE_METHODS,
        meaning="How images are brought to the model's size, in training and in serving.",
        since=_SINCE,
    )
    initial_accumulator_value: float = declare(
        0.0001, **_SHARE, builtin_default=0.1, meaning="Where the accumulators start; adagrad."
    )
    label_smoothing: float = declare(
        0.1, **_SHARE, meaning="With s and K classes the target is 1-s+s/K for the class and s/K for the others."
    )
    learning_rate: float = declare(
        0.001,
        **_SHARE,
        aliases=("adam_learning_rate",),
        tunable=(1e-6, 0.5),
        meaning="The optimizer's step; learning_rate_schedule says how it goes on.",
    )
    momentum: float = declare(0.9, **_SHARE, tunable=(0.0, 0.999), meaning="Momentum; sgd, nesterov, rmsprop.")
    optimizer: str = declare(
        "adam",
        choices=_OPTIMIZERS,
        tunable=_OPTIMIZERS,
        meaning="What updates the weights; nesterov is sgd with Nesterov's momentum.",
        since=_SINCE,
    )
    regularizers_l2: float = declare(
        0.0001, **_SHARE, tunable=(0.0, 0.999), meaning="L2 penalty on the kernel of the dense layer."
    )
    reinitialize_top_layer: str = declare(
        "Auto",
        from_model=False,
        choices=("Auto", "True", "False"),
        meaning="Whether the head starts anew; Auto: unless the model was fine-tuned before.",
        since=_SINCE,
    )
    rho: float = declare(0.95, **_SHARE, meaning="Decay of the gradient's average; adadelta, rmsprop.")
    train_only_top_layer: bool = declare(
        False,
        aliases=("train_only_on_top_layer", "train_only_on_top"),
        tunable=("True", "False"),
        builtin_default=True,
        meaning="Train the head alone and leave the backbone as it is.",
        since=_SINCE,
    )
    validation_split_ratio: float = declare(
        0.2,
        from_model=False,
        **_SHARE,
        meaning="Share of the training images held out for validation when there is no validation channel.",
    )
    random_seed: int = declare(
        123,
        from_model=False,
        minimum=0,
        # What numpy.random.seed takes.
        maximum=2**32 - 1,
        meaning="Decides the split, the order of the images, the augmentation and the first weights.",
        since=_SINCE,
    )
