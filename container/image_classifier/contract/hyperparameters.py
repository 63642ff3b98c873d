"""Every hyperparameter, declared once; parser, messages, tables and the platform's payloads come from here.

Names, ranges and defaults are those of the developer guide of Image Classification - TensorFlow (pages
IC-TF-Hyperparameter and IC-TF-tuning); where JumpStart's model specification has another default, both are given.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from image_classifier.contract import parsing
from image_classifier.contract.declaration import Declaration, declarations_of, declare
from image_classifier.contract.value_forms import encode, plain_text

_SINCE = "0.1"
_SHARE: dict[str, Any] = {"minimum": 0.0, "maximum": 1.0, "since": _SINCE}
_OPTIMIZERS = ("adam", "sgd", "nesterov", "rmsprop", "adagrad", "adadelta")
_RESIZE_METHODS = ("bilinear", "nearest", "bicubic", "area", "lanczos3", "lanczos5", "gaussian", "mitchellcubic")


@dataclass(frozen=True, kw_only=True)
class Hyperparameters:
    """What a training job can be told, with our defaults."""

    augmentation: bool = declare(
        False, meaning="Change training pictures at random: flip, rotation and zoom.", since=_SINCE
    )
    augmentation_random_flip: str = declare(
        "horizontal_and_vertical",
        choices=("horizontal_and_vertical", "horizontal", "vertical", "None"),
        meaning="How pictures may be mirrored, with augmentation.",
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
        meaning="Largest zoom, a share of the picture, with augmentation; drawn in and out, the aspect ratio is kept.",
        since=_SINCE,
    )
    batch_size: int = declare(
        32, minimum=1, tunable=(8, 512), meaning="Pictures a step, divided over the GPUs.", since=_SINCE
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
    epochs: int = declare(3, minimum=1, builtin_default=5, meaning="Passes over the training pictures.", since=_SINCE)
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
        meaning="How pictures are brought to the model's size, in training and in serving.",
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
        meaning="The optimizer's step, constant over the job.",
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
        **_SHARE,
        meaning="Share of the training pictures held out for validation when there is no validation channel.",
    )
    random_seed: int = declare(
        123,
        minimum=0,
        # What numpy.random.seed takes.
        maximum=2**32 - 1,
        meaning="Decides the split, the order of the pictures, the augmentation and the first weights.",
        since=_SINCE,
    )
    max_bad_fraction: float = declare(
        0.1, **_SHARE, builtin=False, meaning="The job fails when a larger share of the pictures cannot be read."
    )
    model_id: str = declare(
        "",
        builtin=False,
        meaning="Which backbone in the image, under /opt/hub, is used without a model channel; a lone one needs none.",
        since=_SINCE,
    )
    model_uri: str = declare(
        "",
        builtin=False,
        meaning="Where a job with network and credentials fetches the model when it has no model channel: the s3:// "
        "address of a .tar.gz or a folder.",
        since=_SINCE,
    )
    trust_model: bool = declare(
        False, builtin=False, meaning="Accept a model that contains file or Python operations.", since=_SINCE
    )


DECLARATIONS: tuple[Declaration, ...] = declarations_of(Hyperparameters)


@dataclass(frozen=True)
class Settings:
    """The values of a job and, by name, where each comes from: "given", "the model's default", "our default"."""

    values: Hyperparameters
    sources: Mapping[str, str]
    script: str = ""
    """The training script that the SageMaker SDK names (`entry_point`, `source_dir`), which is not run; empty: none."""

    def log_lines(self) -> list[str]:
        """Return a line a value, such as `epochs = 3 (our default)`, and one on a script that is not run."""
        lines = [f"{name} = {encode(getattr(self.values, name)) or 'none'} ({by})" for name, by in self.sources.items()]
        return [*lines, f"Not run: {self.script}. This image trains by its own program."] if self.script else lines


def parse(given: Mapping[str, Any], model_defaults: Mapping[str, Any] = MappingProxyType({})) -> Settings:
    """Decode what was given, over the staged model's defaults, over ours.

    Names that SageMaker and its SDK add are ignored; so are names in `model_defaults` that we do not know.

    Raises:
        UserError: Something is wrong; the one message names every problem: what, given, allowed.
    """
    values, sources = parsing.parse(DECLARATIONS, given, model_defaults)
    # Each value has the type of its declaration's default, which only `decode` knows.
    typed: dict[str, Any] = dict(values)
    return Settings(Hyperparameters(**typed), MappingProxyType(sources), _script(given))


def _script(given: Mapping[str, Any]) -> str:
    named = (given.get(name, "") for name in ("sagemaker_program", "sagemaker_submit_directory"))
    return " from ".join(text for text in map(plain_text, named) if text)
