"""Warm start from an earlier job (incremental training): which head to use, and what the job inherits.

`reinitialize_top_layer`: a backbone gets a new head, and False is rejected, since it has no head to keep. The result
of an earlier job keeps its head (Auto, False) or gets a new one on the fine-tuned network (True). A head is kept only
for the same class names.
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
"""Characters per list of class names in a message, which has four; the platform keeps 1,024 characters."""


@dataclass(frozen=True)
class HeadPlan:
    """The head that the job starts with."""

    labels: tuple[str, ...] | None
    """Class names of the kept head, in its order; None: a new head."""
    line: str
    """For the log."""


def model_defaults(info: ModelInfo, values: Hyperparameters) -> dict[str, Any]:
    """Return the defaults of the model; `values` are those given, over our defaults.

    A fine-tuned model carries the defaults of its backbone. Of the earlier job's values it only passes on those that
    its network or head depend on: the resize method, and binary mode unless the job starts a new head.
    """
    if not info.finetuned:
        return _allowed(info.hyperparameters)
    defaults = _allowed(info.extra.get(MODEL_DEFAULTS))
    defaults["image_resize_interpolation"] = info.resize_method
    if values.reinitialize_top_layer != "True":
        defaults["binary_mode"] = info.binary_mode
    return defaults


def _allowed(defaults: Any) -> dict[str, Any]:
    named = defaults if isinstance(defaults, Mapping) else {}
    return {
        name: value for name, value in named.items() if name.strip().replace("-", "_").lower() not in _NOT_FROM_MODEL
    }


def plan(folder: Path, info: ModelInfo, values: Hyperparameters, class_names: Sequence[str]) -> HeadPlan:
    """Decide on the head from the model info and the label file, before the model is loaded.

    Raises:
        UserError: There is no head to keep, or it was trained for other classes; the message lists both.
    """
    choice = values.reinitialize_top_layer
    if not info.finetuned:
        if choice == "False":
            raise UserError(
                "reinitialize_top_layer is False, but the model channel holds a backbone without a head to keep. "
                "Omit reinitialize_top_layer, or set it to Auto."
            )
        return HeadPlan(None, "Head: new, on a backbone.")
    if choice == "True":
        return HeadPlan(None, "Head: new, on the network of an earlier job (reinitialize_top_layer=True).")
    labels = tuple(map(normalised, artifacts.read_labels(folder)))
    if sorted(labels) != sorted(class_names):
        raise UserError(_changed_classes(labels, class_names))
    return HeadPlan(labels, f"Head: kept from an earlier job (reinitialize_top_layer={choice}).")


def _changed_classes(earlier: Sequence[str], now: Sequence[str]) -> str:
    added, removed = sorted(set(now) - set(earlier)), sorted(set(earlier) - set(now))
    differences = [f"{word}: {_listed(names)}" for word, names in (("added", added), ("removed", removed)) if names]
    return (
        f"The classes changed: the earlier model has {len(earlier)} ({_listed(earlier)}), the training channel has "
        f"{len(now)} ({_listed(now)}); {'; '.join(differences) or 'a name occurs twice'}. Use the earlier classes, or "
        "set reinitialize_top_layer=True, which starts a new head on the earlier job's network."
    )


def _listed(names: Sequence[str]) -> str:
    whole = ", ".join(names)
    if len(whole) <= _SHOWN:
        return whole
    shown = whole[:_SHOWN].count(", ")
    return f"{', '.join(names[:shown]) or names[0][:_SHOWN]} and {len(names) - max(shown, 1)} more"


def kept_head(
    backbone: "Backbone", head_plan: HeadPlan, values: Hyperparameters, class_names: Sequence[str]
) -> "Head | None":
    """Return the head to keep, in the order of `class_names`; None for a new one.

    Raises:
        UserError: binary_mode differs from the earlier job, or the head does not fit its label file or its network.
    """
    head = backbone.head
    if head_plan.labels is None or head is None:
        return None
    if len(class_names) == 2 and values.binary_mode != (head.units == 1):
        raise UserError(
            f"The earlier model was trained with binary_mode={head.units == 1}, and this job has binary_mode="
            f"{values.binary_mode}, which its head does not support. Set binary_mode={head.units == 1}, or "
            "reinitialize_top_layer=True."
        )
    expected = (backbone.feature_count, 1 if values.binary_mode else len(class_names))
    if head.kernel.shape != expected:
        raise UserError(
            f"The head of the earlier model in {backbone.folder} has a kernel of shape {head.kernel.shape}; expected "
            f"{expected}, by its network and its {artifacts.LABELS_FILE}. Use files that one job wrote, or set "
            "reinitialize_top_layer=True."
        )
    return head.in_order(head_plan.labels, class_names)


def lineage(info: ModelInfo) -> dict[str, Any]:
    """Return the lineage for the new model info; `info` is that of the model that the job started from.

    `parents` are the sha256 of the SavedModels of earlier jobs, oldest first; `backbone_sha256` is that of the
    backbone, null if it was not recorded.
    """
    if not info.finetuned:
        return {BACKBONE_SHA256: info.sha256, PARENTS: [], MODEL_DEFAULTS: dict(info.hyperparameters)}
    parents = info.extra.get(PARENTS)
    return {
        BACKBONE_SHA256: info.extra.get(BACKBONE_SHA256),
        PARENTS: [*(parents if isinstance(parents, list) else []), info.sha256],
        MODEL_DEFAULTS: _allowed(info.extra.get(MODEL_DEFAULTS)),
    }
