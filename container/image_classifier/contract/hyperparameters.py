"""The hyperparameters, declared once; parser, messages, tables and the platform's payloads come from here."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from image_classifier.contract import parsing
from image_classifier.contract.builtin_hyperparameters import BuiltinHyperparameters
from image_classifier.contract.declaration import Declaration, declarations_of, declare
from image_classifier.contract.value_forms import encode, plain_text

_OURS: dict[str, Any] = {"builtin": False, "since": "0.1"}
_SHARE: dict[str, Any] = {**_OURS, "minimum": 0.0, "maximum": 1.0}


@dataclass(frozen=True, kw_only=True)
class Hyperparameters(BuiltinHyperparameters):
    """What a training job can be told, with our defaults: the built-in algorithm's, then our own."""

    backbone_learning_rate_factor: float = declare(
        1.0,
        **_SHARE,
        meaning="The backbone learns at learning_rate times this; without effect with train_only_top_layer.",
    )
    checkpoint_interval: float = declare(
        10.0,
        may_change_on_resume=True,
        minimum=0.0,
        **_OURS,
        meaning="Minutes between checkpoints inside an epoch; 0: one after each epoch only. They are written when "
        "/opt/ml/checkpoints exists.",
    )
    class_weights: str = declare(
        "none",
        **_OURS,
        meaning="How much an image of each class counts in the loss: none, auto (so that all classes count the same "
        'in all), or a JSON object such as {"cat": 2.5}, where unnamed classes have 1.',
    )
    deterministic: bool = declare(
        False,
        **_OURS,
        meaning="Let equal jobs on equal machines give equal bits, at some cost in speed; else only the random draws "
        "are equal.",
    )
    gradient_clip_norm: float = declare(
        0.0,
        minimum=0.0,
        **_OURS,
        meaning="Largest norm of all gradients of a step taken together, which are scaled down to it; 0: no limit.",
    )
    learning_rate_schedule: str = declare(
        "constant",
        choices=("constant", "cosine", "linear"),
        **_OURS,
        meaning="How learning_rate goes on after the warm-up: cosine and linear fall towards 0 at the job's end.",
    )
    max_bad_fraction: float = declare(
        0.1,
        from_model=False,
        may_change_on_resume=True,
        **_SHARE,
        meaning="The job fails when a larger share of the images cannot be read.",
    )
    max_runtime: int = declare(
        0,
        may_change_on_resume=True,
        minimum=0,
        **_OURS,
        meaning="Seconds after its start by which the job has ended: training stops early enough to write the model. "
        "0: no limit.",
    )
    mixed_precision: str = declare(
        "auto",
        choices=("auto", "off", "float16", "bfloat16"),
        **_OURS,
        meaning="Type of the matrix products and convolutions in training; auto: float16 on GPUs of compute "
        "capability 7 and more, else off. Not measured on a GPU yet.",
    )
    model_id: str = declare(
        "",
        from_model=False,
        may_change_on_resume=True,
        **_OURS,
        meaning="Which backbone in the image, under /opt/hub, is used without a model channel; a lone one needs none.",
    )
    model_uri: str = declare(
        "",
        from_model=False,
        may_change_on_resume=True,
        **_OURS,
        meaning="Where a job with network and credentials fetches the model when it has no model channel: the s3:// "
        "address of a .tar.gz or a folder.",
    )
    trust_model: bool = declare(
        False,
        from_model=False,
        may_change_on_resume=True,
        **_OURS,
        meaning="Accept a model that contains file or Python operations.",
    )
    unfreeze_after: int = declare(
        0,
        minimum=0,
        **_OURS,
        meaning="Epochs, fewer than epochs, of the head alone before the whole network is trained; not with "
        "train_only_top_layer.",
    )
    warmup_fraction: float = declare(
        0.0, **_SHARE, meaning="Share of the job's steps in which the learning rate rises from 0 in a line."
    )
    xla: str = declare(
        "off",
        choices=("off", "on"),
        **_OURS,
        meaning="Compile parts of the training step with XLA. Ten times slower on a CPU; not measured on a GPU yet.",
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
