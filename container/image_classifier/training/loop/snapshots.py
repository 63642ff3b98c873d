"""The state of a training loop as plain arrays and numbers, from which it resumes with identical results."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from image_classifier.contract.hyperparameters import DECLARATIONS, Hyperparameters
from image_classifier.training.checkpoints import array_archive
from image_classifier.training.checkpoints.array_archive import Arrays
from image_classifier.training.checkpoints.store import Checkpoint, Checkpoints
from image_classifier.training.distributed.cluster import Cluster
from image_classifier.training.loop.scoring import Predictions

_MAY_CHANGE = frozenset(declared.name for declared in DECLARATIONS if declared.may_change_on_resume)


@dataclass
class Progress:
    """Position and history of a loop. It holds no random state: every draw is a function of seed, epoch and step."""

    global_step: int = 0
    """Steps done since the first start of the job."""
    epoch: int = 0
    """The current epoch, from 0."""
    step: int = 0
    """The next step of this epoch, from 0."""
    epochs: list[dict[str, float]] = field(default_factory=list)
    """Metrics of each finished epoch."""
    best_epoch: int | None = None
    reference: float | None = None
    """The last value of the monitored metric that counted as progress, for early stopping."""
    waited: int = 0
    """Epochs since then."""
    unreadable: dict[str, dict[str, str]] = field(default_factory=dict)
    """Unreadable "training" and "validation" images met so far: index, as text, to the reason."""
    stopped_early: str | None = None
    """Reason of early stopping; None if it did not happen."""


@dataclass(frozen=True)
class Best:
    """Weights of the best epoch, and its predictions for the validation rows."""

    weights: Sequence[NDArray[Any]]
    predictions: Predictions


def identity(values: Hyperparameters, sources: Mapping[str, Any]) -> dict[str, Any]:
    """Return what must be equal to resume from a checkpoint: hyperparameters that may not change, and `sources`."""
    return {**{name: value for name, value in asdict(values).items() if name not in _MAY_CHANGE}, **sources}


def newest(checkpoints: Checkpoints | None, cluster: Cluster) -> Checkpoint | None:
    """Return the chief's newest checkpoint, or None. Collective: every host must call it."""
    found = checkpoints.latest() if checkpoints else None
    if cluster.count == 1:
        return found
    packed = cluster.gather(np.frombuffer(_packed(found), np.uint8) if found else np.empty(0, np.uint8))
    return _unpacked(packed.tobytes()) if len(packed) else None


def _packed(found: Checkpoint) -> bytes:
    arrays = {f"{group}/{name}": array for group, content in found.groups.items() for name, array in content.items()}
    return array_archive.to_bytes(arrays, found.state)


def _unpacked(packed: bytes) -> Checkpoint:
    found: dict[str, dict[str, NDArray[Any]]] = {}
    arrays, state = array_archive.from_bytes(packed)
    for key, array in arrays.items():
        group, _, name = key.partition("/")
        found.setdefault(group, {})[name] = array
    return Checkpoint(0, state, found)


def save(checkpoints: Checkpoints | None, progress: Progress, variables: Sequence[Any], best: Best | None) -> None:
    """Write a checkpoint of TensorFlow `variables` and the best epoch so far. Collective: every host must call it.

    `checkpoints` is None on all hosts but the chief.

    Raises:
        OSError: The disk is full or not writable; earlier checkpoints are unchanged.
    """
    # On every host: reading a variable that each replica accumulates sums it over all replicas.
    arrays = groups(variables, best)
    if checkpoints:
        checkpoints.save(progress.global_step, asdict(progress), arrays)


def groups(variables: Sequence[Any], best: Best | None) -> dict[str, Arrays]:
    """Return the arrays of a checkpoint. Collective: reading per-replica statistics averages them over all hosts."""
    found: dict[str, Arrays] = {"now": _numbered(variable.numpy() for variable in variables)}
    if best:
        found["best"] = _numbered(best.weights)
        found["answers"] = {"outputs": best.predictions.outputs, "rows": best.predictions.rows}
    return found


def restore(found: Checkpoint, variables: Sequence[Any]) -> tuple[Progress, Best | None]:
    """Assign `variables` from a checkpoint, and return the rest of it."""
    assign(variables, _in_order(found.groups["now"]))
    best = None
    if "best" in found.groups:
        predictions = found.groups["answers"]
        best = Best(_in_order(found.groups["best"]), Predictions(predictions["outputs"], predictions["rows"]))
    return Progress(**found.state), best


def assign(variables: Sequence[Any], arrays: Sequence[NDArray[Any]]) -> None:
    """Assign each array to its variable.

    Raises:
        ValueError: Their numbers or shapes differ.
    """
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)


def _numbered(arrays: Any) -> dict[str, NDArray[Any]]:
    return {f"{index:05d}": np.asarray(array) for index, array in enumerate(arrays)}


def _in_order(arrays: Arrays) -> list[NDArray[Any]]:
    return [arrays[name] for name in sorted(arrays)]
