"""Settings of stage 1 that the race decides: learning rate, the part that is tuned, and the mode of BatchNorm."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from image_classifier.training.loop.steps import TunedPart
from image_classifier.training.model.classifier import Network

WHOLE, LAST_THIRD, SCALES = "whole network", "last third", "biases, scales and offsets"


@dataclass(frozen=True, order=True)
class Mode:
    """What is tuned and how; each mode is a compiled step of its own, with its own cost."""

    part: str
    """`WHOLE`, `LAST_THIRD` or `SCALES`; the head is always tuned."""
    batch_statistics: bool
    """Whether BatchNorm uses the statistics of each batch and updates its moving ones; False: they stay frozen."""

    def __str__(self) -> str:
        return f"{self.part} with {'batch' if self.batch_statistics else 'frozen'} BatchNorm statistics"


@dataclass(frozen=True)
class TuningSettings:
    """One entrant of the race."""

    mode: Mode
    learning_rate: float

    def __str__(self) -> str:
        return f"{self.mode}, learning rate {self.learning_rate:g}"


_CANDIDATES = (
    TuningSettings(Mode(SCALES, False), 3e-3),
    TuningSettings(Mode(WHOLE, False), 3e-4),
    TuningSettings(Mode(WHOLE, True), 1e-3),
    TuningSettings(Mode(LAST_THIRD, False), 3e-4),
    TuningSettings(Mode(WHOLE, False), 1e-3),
    TuningSettings(Mode(WHOLE, False), 1e-4),
    TuningSettings(Mode(WHOLE, True), 3e-4),
    TuningSettings(Mode(LAST_THIRD, False), 1e-3),
    TuningSettings(Mode(SCALES, False), 1e-3),
)
"""In the order in which a short budget admits them. Rates are Adam's, on a grid of half decades.

The first gets better from its first step on; the others must first make up for what they undo. Batch statistics are
offered for the whole network alone: with a part of it they would change the inputs of the layers that are not tuned."""


def candidates(network: Network) -> tuple[TuningSettings, ...]:
    """Return the settings that make a difference for a network, the most promising first."""
    return tuple(one for one in _CANDIDATES if _differs(network, one.mode))


def tuned_part(network: Network, mode: Mode) -> TunedPart:
    """Return the trained variables of the backbone.

    The last third is that of the list of trainable variables in the SavedModel: Keras lists them in the order in which
    the layers were created, which is the order of the forward pass. Biases, scales and offsets are the variables of
    rank 1 (BitFit, arXiv 2106.10199; BatchNorm only: Frankle and others, arXiv 2003.00152).
    """
    return TunedPart(_variables(network, mode.part), mode.batch_statistics)


def statistics(network: Network) -> list[Any]:
    """Return the variables that a training step may update without a gradient: moving means and variances."""
    layer = network.backbone.hub_layer if network.backbone else None
    return [one for one in (layer.non_trainable_variables if layer else ()) if one.dtype.is_floating]


def _differs(network: Network, mode: Mode) -> bool:
    if mode.batch_statistics and not statistics(network):
        return False
    found = _variables(network, mode.part)
    return bool(found) and (mode.part == WHOLE or len(found) < len(_variables(network, WHOLE)))


def _variables(network: Network, part: str) -> Sequence[Any]:
    trainable = list(network.backbone.trainable_variables) if network.backbone else []
    match part:
        case "whole network":
            return trainable
        case "last third":
            return trainable[len(trainable) - len(trainable) // 3 :]
        case "biases, scales and offsets":
            return [one for one in trainable if one.shape.rank <= 1]
        case other:
            raise AssertionError(f"unknown part {other}")
