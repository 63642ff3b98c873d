"""Training on the result of an earlier job: whether its head is kept, and what the job takes over from it.

The table of `reinitialize_top_layer`: a backbone gets a new head, and has none to keep (False is rejected); the
result of an earlier job keeps its head (Auto, False) or gets a new one on the tuned network (True). A head is kept for
the same class names alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from image_classifier import artifacts
from image_classifier.artifacts import ModelInfo
from image_classifier.contract.errors import UserError
from image_classifier.contract.hyperparameters import DECLARATIONS, Hyperparameters
from image_classifier.contract.names import normalised

if TYPE_CHECKING:
    from image_classifier.training.model.backbone import Backbone
    from image_classifier.training.model.earlier_model import Head

_NOT_FROM_MODEL = frozenset(declared.name for declared in DECLARATIONS if not declared.from_model)
MODEL_DEFAULTS, PARENTS, BACKBONE_SHA256 = "model_defaults", "parents", "backbone_sha256"
"""Keys of the model info's `extra`."""
_SHOWN = 150
"""Characters of class names a list in a message, of which there are four; the platform keeps 1,024 of the whole."""


@dataclass(frozen=True)
class HeadPlan:
    """What the job begins with."""

    labels: tuple[str, ...] | None
    """The class names of the head that is kept, in its order; None: a new head."""
    line: str
    """For the log."""


def model_defaults(info: ModelInfo, values: Hyperparameters) -> dict[str, Any]:
    """Return the hyperparameters that the model brings along; `values` are those given, over our defaults.

    Those of its backbone travel with a fine-tuned model. Of the earlier job's own values only what the network or its
    head was made for counts: the resize method, and binary mode unless a new head is asked for.
    """
    if not info.finetuned:
        return _of_the_model(info.hyperparameters)
    defaults = _of_the_model(info.extra.get(MODEL_DEFAULTS))
    defaults["image_resize_interpolation"] = info.resize_method
    if values.reinitialize_top_layer != "True":
        defaults["binary_mode"] = info.binary_mode
    return defaults


def _of_the_model(found: Any) -> dict[str, Any]:
    named = found if isinstance(found, Mapping) else {}
    return {
        name: value for name, value in named.items() if name.strip().replace("-", "_").lower() not in _NOT_FROM_MODEL
    }


def plan(folder: Path, info: ModelInfo, values: Hyperparameters, class_names: Sequence[str]) -> HeadPlan:
    """Decide on the head by the model info and the label file alone, before anything is loaded.

    Raises:
        UserError: There is no head to keep, or it was trained for other classes; the message names both lists.
    """
    wanted = values.reinitialize_top_layer
    if not info.finetuned:
        if wanted == "False":
            raise UserError(
                "reinitialize_top_layer is False, but the model channel holds a backbone without a head to keep. "
                "Leave reinitialize_top_layer out, or set it to Auto."
            )
        return HeadPlan(None, "Head: new, on a backbone.")
    if wanted == "True":
        return HeadPlan(None, "Head: new, on the network of an earlier job (reinitialize_top_layer=True).")
    labels = tuple(map(normalised, artifacts.read_labels(folder)))
    if sorted(labels) != sorted(class_names):
        raise UserError(_changed_classes(labels, class_names))
    return HeadPlan(labels, f"Head: an earlier job's, trained further (reinitialize_top_layer={wanted}).")


def _changed_classes(earlier: Sequence[str], now: Sequence[str]) -> str:
    new, gone = sorted(set(now) - set(earlier)), sorted(set(earlier) - set(now))
    differences = [f"{word}: {_listed(names)}" for word, names in (("new", new), ("gone", gone)) if names]
    return (
        f"The classes changed: the earlier model has {len(earlier)} ({_listed(earlier)}), the training channel has "
        f"{len(now)} ({_listed(now)}); {'; '.join(differences) or 'a name occurs twice'}. Give the earlier classes, or "
        "set reinitialize_top_layer=True, which starts a new head on the earlier job's network."
    )


def _listed(names: Sequence[str]) -> str:
    whole = ", ".join(names)
    if len(whole) <= _SHOWN:
        return whole
    shown = whole[:_SHOWN].count(", ")
    return f"{', '.join(names[:shown]) or names[0][:_SHOWN]} and {len(names) - max(shown, 1)} more"


def kept_head(
    backbone: "Backbone", start: HeadPlan, values: Hyperparameters, class_names: Sequence[str]
) -> "Head | None":
    """Return the head to go on with, in the order of `class_names`; None for a new one.

    Raises:
        UserError: The head is for the other of the two modes, or does not fit its label file or its network.
    """
    head = backbone.head
    if start.labels is None or head is None:
        return None
    if len(class_names) == 2 and values.binary_mode != (head.units == 1):
        raise UserError(
            f"The earlier model was trained with binary_mode={head.units == 1}, and this job has binary_mode="
            f"{values.binary_mode}, for which its head does not serve. Set binary_mode={head.units == 1}, or "
            "reinitialize_top_layer=True."
        )
    expected = (backbone.feature_count, 1 if values.binary_mode else len(class_names))
    if head.kernel.shape != expected:
        raise UserError(
            f"The head of the earlier model in {backbone.folder} has a kernel of shape {head.kernel.shape}; expected "
            f"{expected}, by its network and its {artifacts.LABELS_FILE}. Put the files there that one job wrote, or "
            "set reinitialize_top_layer=True."
        )
    return head.in_order(start.labels, class_names)


def lineage(info: ModelInfo) -> dict[str, Any]:
    """Return what the new model's info records of where it comes from; `info` is that of the model it started from.

    `parents` are the sha256 of earlier jobs' SavedModels, the oldest first; `backbone_sha256` that of the backbone,
    null when nobody recorded it.
    """
    if not info.finetuned:
        return {BACKBONE_SHA256: info.sha256, PARENTS: [], MODEL_DEFAULTS: dict(info.hyperparameters)}
    found = info.extra.get(PARENTS)
    return {
        BACKBONE_SHA256: info.extra.get(BACKBONE_SHA256),
        PARENTS: [*(found if isinstance(found, list) else []), info.sha256],
        MODEL_DEFAULTS: _of_the_model(info.extra.get(MODEL_DEFAULTS)),
    }
