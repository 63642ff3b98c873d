"""The hyperparameters, declared once; parser, messages, reference pages and API payloads are derived from them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from image_classifier.contract import parsing
from image_classifier.contract.builtin_hyperparameters import BuiltinHyperparameters
from image_classifier.contract.contradictions import AUTO, BUILTIN, SEARCH
from image_classifier.contract.declaration import Declaration, Group, declarations_of, declare
from image_classifier.contract.value_forms import encode, plain_text

_OURS: dict[str, Any] = {"builtin": False, "since": "0.1"}
_SHARE: dict[str, Any] = {**_OURS, "minimum": 0.0, "maximum": 1.0}


@dataclass(frozen=True, kw_only=True)
class Hyperparameters(BuiltinHyperparameters):
    """All hyperparameters of a training job with their defaults: the built-in algorithm's, then our own."""

    backbone_learning_rate_factor: float = declare(
        1.0,
        group=Group.OPTIMIZER,
        chosen_by_recipe=True,
        **_SHARE,
        meaning="Factor on learning_rate for the backbone; without effect with train_only_top_layer.",
    )
    calibration: str = declare(
        "off",
        group=Group.HEAD,
        from_model=False,
        may_change_on_resume=True,
        choices=("off", "temperature"),
        **_OURS,
        meaning="temperature: divide the logits of the finished model by the number that minimises the cross-entropy "
        "on the validation images (at least 100), so that a probability says how often the prediction is right; the "
        "predicted classes stay the same.",
    )
    checkpoint_interval: float = declare(
        10.0,
        group=Group.JOB,
        may_change_on_resume=True,
        minimum=0.0,
        **_OURS,
        meaning="Minutes between checkpoints within an epoch; 0: only after each epoch. Checkpoints are written if "
        "/opt/ml/checkpoints exists.",
    )
    class_weights: str = declare(
        "none",
        group=Group.HEAD,
        **_OURS,
        meaning="Weight of each class in the loss: none, auto (inversely proportional to the class frequency), or a "
        'JSON object such as {"cat": 2.5}, in which omitted classes have weight 1.',
    )
    deterministic: bool = declare(
        False,
        group=Group.JOB,
        **_OURS,
        meaning="Bitwise reproducible results for equal jobs on equal machines, at some cost in speed; otherwise only "
        "the random draws are reproducible.",
    )
    gradient_clip_norm: float = declare(
        0.0,
        group=Group.OPTIMIZER,
        chosen_by_recipe=True,
        minimum=0.0,
        **_OURS,
        meaning="Global gradient norm to which the gradients of a step are clipped; 0: no clipping.",
    )
    learning_rate_schedule: str = declare(
        "constant",
        group=Group.OPTIMIZER,
        chosen_by_recipe=True,
        choices=("constant", "cosine", "linear"),
        **_OURS,
        meaning="Learning-rate schedule after the warm-up; cosine and linear decay towards 0 at the end of the job.",
    )
    max_bad_fraction: float = declare(
        0.1,
        group=Group.DATA,
        from_model=False,
        may_change_on_resume=True,
        **_SHARE,
        meaning="Largest tolerated fraction of unreadable images; the job fails when it is exceeded.",
    )
    max_latency_ms: float = declare(
        0.0,
        group=Group.MODEL,
        from_model=False,
        minimum=0.0,
        **_OURS,
        meaning="Longest time to classify one image, in milliseconds, measured on this machine with the serving "
        "engine, that model_id=auto accepts; 0: no limit.",
    )
    max_runtime: int = declare(
        0,
        group=Group.JOB,
        may_change_on_resume=True,
        minimum=0,
        **_OURS,
        meaning="Time budget of the job in seconds since its start; training stops early enough to write the model. "
        "0: no limit.",
    )
    mixed_precision: str = declare(
        "auto",
        group=Group.JOB,
        choices=("auto", "off", "float16", "bfloat16"),
        **_OURS,
        meaning="Compute type of matrix products and convolutions in training; auto: float16 on GPUs with compute "
        "capability 7 or higher, else off. Not measured on a GPU yet.",
    )
    model_id: str = declare(
        "",
        group=Group.MODEL,
        from_model=False,
        may_change_on_resume=True,
        **_OURS,
        meaning="Backbone under /opt/hub in the Docker image to use without a model channel; optional if there is only "
        "one. auto, with a recipe: the best of up to three by cross-validation within max_latency_ms.",
    )
    model_uri: str = declare(
        "",
        group=Group.MODEL,
        from_model=False,
        may_change_on_resume=True,
        **_OURS,
        meaning="s3:// address of the model, a .tar.gz or a folder, for a job with network access, credentials and no "
        "model channel.",
    )
    quantization: str = declare(
        "off",
        group=Group.JOB,
        from_model=False,
        may_change_on_resume=True,
        choices=("auto", "off"),
        **_OURS,
        meaning="auto: also write the model with 8-bit integers, openvino_int8, if it passes a gate on at least 200 "
        "validation images: accuracy at most 0.5 points lower, at most 2 % other predictions, calibration error at "
        "most 1 point higher. Left out, with the reason in the log, when it fails or the job is short of time.",
    )
    recipe: str = declare(
        BUILTIN,
        group=Group.RECIPE,
        from_model=False,
        choices=(BUILTIN, AUTO, SEARCH),
        **_OURS,
        meaning="How to train. builtin: by the hyperparameters, as the built-in algorithm does; auto: a convex head by "
        "cross-validation and, within the time budget, fine-tuning; train_only_top_layer=True leaves out the latter, "
        "and what auto chooses may not be given; search: the head alone, with the best hyperparameters of "
        "search_trials trials, which leave given values as they are.",
    )
    refit: str = declare(
        "Auto",
        group=Group.RECIPE,
        from_model=False,
        choices=("Auto", "True", "False"),
        **_OURS,
        meaning="Whether recipe=auto fits a chosen head again on training and validation images together; the metrics "
        "are those measured before. Auto: unless there is a validation channel. A fine-tuned network is not refitted.",
    )
    report: bool = declare(
        True,
        group=Group.JOB,
        from_model=False,
        may_change_on_resume=True,
        **_OURS,
        meaning="Write report.html, evaluation.json, model_card.json, issues.csv and evidence.npz, which the console "
        "opens, to /opt/ml/output/data, and the data that unfamiliar images and drift are measured with to the model "
        "folder; left out when the job is short of time.",
    )
    report_thumbnails: bool = declare(
        True,
        group=Group.JOB,
        from_model=False,
        may_change_on_resume=True,
        **_OURS,
        meaning="Show images in the report, reduced to at most 96 pixels; False: their file names alone.",
    )
    search_trials: int = declare(
        0,
        group=Group.RECIPE,
        from_model=False,
        minimum=0,
        maximum=10_000,
        **_OURS,
        meaning="Number of heads that recipe=search tries; 0: 100.",
    )
    tensorboard: bool = declare(
        False,
        group=Group.JOB,
        from_model=False,
        may_change_on_resume=True,
        **_OURS,
        meaning="Write the metrics of each epoch to /opt/ml/output/tensorboard at the end of the job, as events of "
        "TensorBoard.",
    )
    trust_model: bool = declare(
        False,
        group=Group.MODEL,
        from_model=False,
        may_change_on_resume=True,
        **_OURS,
        meaning="Accept a model with operations that reach files or Python.",
    )
    unfreeze_after: int = declare(
        0,
        group=Group.RECIPE,
        chosen_by_recipe=True,
        minimum=0,
        maximum=1_000_000,
        **_OURS,
        meaning="Number of epochs, fewer than epochs, that train only the head before the whole network is trained; "
        "not with train_only_top_layer.",
    )
    warmup_fraction: float = declare(
        0.0,
        group=Group.OPTIMIZER,
        chosen_by_recipe=True,
        **_SHARE,
        meaning="Fraction of the job's steps in which the learning rate increases linearly from 0.",
    )
    xla: str = declare(
        "off",
        group=Group.JOB,
        choices=("off", "on"),
        **_OURS,
        meaning="Compile parts of the training step with XLA. Ten times slower on CPUs; not measured on a GPU yet.",
    )


DECLARATIONS: tuple[Declaration, ...] = declarations_of(Hyperparameters)


@dataclass(frozen=True)
class ResolvedHyperparameters:
    """The values of a job and the source of each by name: "given", "the model's default" or "our default"."""

    values: Hyperparameters
    sources: Mapping[str, str]
    script: str = ""
    """The training script that the SageMaker SDK passes (`entry_point`, `source_dir`), which is not run; or empty."""

    def log_lines(self) -> list[str]:
        """Return one line per value, such as `epochs = 3 (our default)`, and one for a script that is not run.

        Values that the recipe chooses are not known yet and left out.
        """
        lines = [
            f"{name} = {encode(getattr(self.values, name)) or 'none'} ({by})"
            for name, by in self.sources.items()
            if by != parsing.CHOSEN
        ]
        return [*lines, f"Not run: {self.script}. This image trains with its own program."] if self.script else lines

    def with_chosen(self, values: Hyperparameters) -> "ResolvedHyperparameters":
        """Return the settings with the values that the job's recipe has chosen."""
        changed = {name for name in self.sources if getattr(values, name) != getattr(self.values, name)}
        sources = {name: parsing.CHOSEN if name in changed else by for name, by in self.sources.items()}
        return replace(self, values=values, sources=MappingProxyType(sources))


def parse(
    given: Mapping[str, Any], model_defaults: Mapping[str, Any] = MappingProxyType({})
) -> ResolvedHyperparameters:
    """Resolve the values of a job: given values take precedence over the model's defaults, and these over ours.

    Names added by SageMaker and its SDK are ignored, and so are unknown names in `model_defaults`.

    Raises:
        UserError: A single message that lists every problem with its name, given value and allowed values.
    """
    values, sources = parsing.parse(DECLARATIONS, given, model_defaults)
    # Each value has the type of its default, which mypy cannot see.
    typed: dict[str, Any] = dict(values)
    return ResolvedHyperparameters(Hyperparameters(**typed), MappingProxyType(sources), _script(given))


def resolve(given: Mapping[str, Any], model_defaults: Mapping[str, Any] = MappingProxyType({})) -> parsing.Resolved:
    """Resolve the values of a job as `parse` does, and return the problems instead of raising them."""
    return parsing.resolve(DECLARATIONS, given, model_defaults)


def given_for_recipe(given: Mapping[str, Any]) -> list[str]:
    """Return the given values that recipe=auto would choose itself, defaults too, as `name=value`; valid or not."""
    found = resolve(given)
    chosen = (declared.name for declared in DECLARATIONS if declared.chosen_by_recipe)
    return [f"{name}={encode(found.values[name])}" for name in chosen if found.sources[name] == parsing.GIVEN]


def _script(given: Mapping[str, Any]) -> str:
    named = (given.get(name, "") for name in ("sagemaker_program", "sagemaker_submit_directory"))
    return " from ".join(text for text in map(plain_text, named) if text)
