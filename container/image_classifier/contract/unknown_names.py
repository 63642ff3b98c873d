"""What to write instead of a hyperparameter that is not declared: a misspelling, or another program's name."""

import difflib
from collections.abc import Mapping

_NEAR = 0.7
"""Smallest ratio of `difflib` at which a name is taken for a misspelling. `image_size` and `batch_size` have 0.6."""
_FROM_THE_DATA = "It follows from the class folders of the training channel; leave it out."
_FROM_THE_MODEL = "It follows from the model; leave it out."
_ELSEWHERE: Mapping[str, str] = {
    **dict.fromkeys(("lr", "alpha", "eta"), "Did you mean learning_rate?"),
    **dict.fromkeys(("l2", "wd", "weight_decay"), "Did you mean regularizers_l2?"),
    **dict.fromkeys(("lr_scheduler", "scheduler"), "Did you mean learning_rate_schedule?"),
    **dict.fromkeys(("lr_scheduler_factor", "lr_scheduler_step"), "Did you mean learning_rate_schedule?"),
    **dict.fromkeys(("precision_dtype", "amp", "fp16"), "Did you mean mixed_precision?"),
    **dict.fromkeys(("use_weighted_loss", "class_weight"), "Did you mean class_weights?"),
    **dict.fromkeys(("augmentation_type",), "Did you mean augmentation?"),
    **dict.fromkeys(("checkpoint_frequency",), "Did you mean checkpoint_interval?"),
    **dict.fromkeys(("gamma",), "Did you mean rho?"),
    **dict.fromkeys(("model", "model_name", "network", "architecture"), "Did you mean model_id?"),
    **dict.fromkeys(("num_classes", "classes", "class_names", "labels", "num_training_samples"), _FROM_THE_DATA),
    **dict.fromkeys(("image_shape", "image_size", "img_size", "input_size", "input_shape", "resize"), _FROM_THE_MODEL),
    **dict.fromkeys(("num_layers",), f"{_FROM_THE_MODEL} Choose another model by the model channel or model_id."),
    "use_pretrained_model": "Training always starts from the model channel or model_id; leave it out.",
    "multi_label": "An image has exactly one class here; leave it out.",
}
"""Names of SageMaker's Image Classification - MXNet (its hyperparameter page), Keras and PyTorch, and what to do."""


def hint(plain: str, names: Mapping[str, str]) -> str:
    """Return what to do about an unknown name with underscores, as a sentence.

    Args:
        plain: The name that was given.
        names: Declared name by each name that is accepted for it.
    """
    lower = plain.lower()
    near = difflib.get_close_matches(lower, names, n=1, cutoff=_NEAR)
    if lower in _ELSEWHERE:
        return _ELSEWHERE[lower]
    if near:
        return f"Did you mean {names[near[0]]}?"
    # A part of a name, such as seed or patience, is only a hint when no other name has it.
    words = set(lower.split("_"))
    within = {declared for name, declared in names.items() if words <= set(name.split("_"))}
    return (
        f"Did you mean {within.pop()}?" if len(within) == 1 else "See docs/reference/hyperparameters.md for all names."
    )
