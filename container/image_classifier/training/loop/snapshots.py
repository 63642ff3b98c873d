"""What a training loop must keep to go on elsewhere as if nothing had happened, as plain arrays and numbers."""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from image_classifier.contract.hyperparameters import DECLARATIONS, Hyperparameters
from image_classifier.training.checkpoints.store import Checkpoint, Checkpoints
from image_classifier.training.distributed.cluster import Cluster
from image_classifier.training.loop.scoring import Predictions

Arrays = Mapping[str, NDArray[Any]]
_MAY_CHANGE = frozenset(declared.name for declared in DECLARATIONS if declared.may_change_on_resume)


@dataclass
class Progress:
    """Where a loop stands. No random state is in it: every draw is a function of seed, epoch and step."""

    global_step: int = 0
    """Steps done since the job's first start."""
    epoch: int = 0
    """The running one, from 0."""
    step: int = 0
    """The next one in this epoch, from 0."""
    epochs: list[dict[str, float]] = field(default_factory=list)
    """What each finished epoch measured."""
    best_epoch: int | None = None
    reference: float | None = None
    """The last value of the monitored metric that was progress, for early stopping."""
    waited: int = 0
    """Epochs since then."""
    unreadable: dict[str, dict[str, str]] = field(default_factory=dict)
    """Of "training" and "validation" images found so far: index, as text, to the reason."""
    stopped_early: str | None = None
    """Why no further epoch comes, though more were asked for."""


@dataclass(frozen=True)
class Best:
    """The network at its best epoch, and what it answered on the validation rows."""

    weights: Sequence[NDArray[Any]]
    predictions: Predictions


def identity(values: Hyperparameters, sources: Mapping[str, Any]) -> dict[str, Any]:
    """Return what must be equal for a job to go on from a checkpoint: the hyperparameters that count, and `sources`."""
    return {**{name: value for name, value in asdict(values).items() if name not in _MAY_CHANGE}, **sources}


def newest(checkpoints: Checkpoints | None, cluster: Cluster) -> Checkpoint | None:
    """Return the newest checkpoint of the first host, on every host; None where it has none."""
    found = checkpoints.latest() if checkpoints else None
    if cluster.count == 1:
        return found
    packed = cluster.gather(np.frombuffer(_packed(found), np.uint8) if found else np.empty(0, np.uint8))
    return _unpacked(packed.tobytes()) if len(packed) else None


def _packed(found: Checkpoint) -> bytes:
    arrays = {f"{group}/{name}": array for group, content in found.groups.items() for name, array in content.items()}
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **arrays, state=np.frombuffer(json.dumps(found.state).encode(), np.uint8))
    return file.getvalue()


def _unpacked(packed: bytes) -> Checkpoint:
    found: dict[str, dict[str, NDArray[Any]]] = {}
    with np.load(io.BytesIO(packed)) as arrays:
        state = json.loads(arrays["state"].tobytes())
        for key in arrays.files:
            group, _, name = key.partition("/")
            if name:
                found.setdefault(group, {})[name] = arrays[key]
    return Checkpoint(0, state, found)


def save(checkpoints: Checkpoints | None, progress: Progress, variables: Sequence[Any], best: Best | None) -> None:
    """Write a checkpoint of TensorFlow `variables`, with the best epoch so far; on several hosts all must ask.

    `checkpoints` is None on the hosts that write nothing.

    Raises:
        OSError: The disk rejects it; earlier checkpoints are as they were.
    """
    # Also on those hosts: what each replica counts is added up over all when it is read.
    arrays = groups(variables, best)
    if checkpoints:
        checkpoints.save(progress.global_step, asdict(progress), arrays)


def groups(variables: Sequence[Any], best: Best | None) -> dict[str, Arrays]:
    """Return a checkpoint's arrays. Every host must ask: statistics that each replica keeps are averaged over all."""
    found: dict[str, Arrays] = {"now": _numbered(variable.numpy() for variable in variables)}
    if best:
        found["best"] = _numbered(best.weights)
        found["answers"] = {"outputs": best.predictions.outputs, "rows": best.predictions.rows}
    return found


def restore(found: Checkpoint, variables: Sequence[Any]) -> tuple[Progress, Best | None]:
    """Set `variables` to what a checkpoint says, and return the rest of it."""
    assign(variables, _in_order(found.groups["now"]))
    best = None
    if "best" in found.groups:
        predictions = found.groups["answers"]
        best = Best(_in_order(found.groups["best"]), Predictions(predictions["outputs"], predictions["rows"]))
    return Progress(**found.state), best


def assign(variables: Sequence[Any], arrays: Sequence[NDArray[Any]]) -> None:
    """Set each variable to its array.

    Raises:
        ValueError: They are not as many, or have other shapes.
    """
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)


def _numbered(arrays: Any) -> dict[str, NDArray[Any]]:
    return {f"{index:05d}": np.asarray(array) for index, array in enumerate(arrays)}


def _in_order(arrays: Arrays) -> list[NDArray[Any]]:
    return [arrays[name] for name in sorted(arrays)]
