"""Training that is broken off and continued, in a process of its own: TensorFlow stays deterministic once it is."""

import contextlib
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from image_classifier import tensorflow_start
from image_classifier.artifacts import ModelInfo
from image_classifier.training.checkpoints.store import Checkpoint, Checkpoints
from image_classifier.training.data.decoding import CachedImages
from tests.unit.training import small

CASES: dict[str, tuple[dict[str, Any], tuple[int, ...]]] = {
    "in the first epoch": ({"dropout_rate": 0.2}, (3,)),
    "augmented, with every recipe, twice": (
        {
            "augmentation": True,
            "dropout_rate": 0.2,
            "learning_rate_schedule": "cosine",
            "warmup_fraction": 0.2,
            "class_weights": "auto",
            "gradient_clip_norm": 1.0,
            "unfreeze_after": 1,
        },
        (5, 11),
    ),
    "just before the validation": ({"optimizer": "nesterov"}, (7,)),
}
"""Hyperparameters, and after which steps of training, of seven an epoch, the process dies."""


COMMON: dict[str, Any] = {
    "train_only_top_layer": False,
    "batch_size": 4,
    "epochs": 3,
    # Less than any step takes: a checkpoint after each.
    "checkpoint_interval": 1e-6,
}
INCOMPLETE = "without the optimizer's slots"


class Killed(BaseException):
    """What comes instead of anything that would follow."""


class DyingCheckpoints(Checkpoints):
    """Checkpoints after one of which the process dies."""

    def __init__(self, folder: Path, last_step: int | None) -> None:
        super().__init__(folder, {})
        self._last_step = last_step

    def save(self, step: int, state: Mapping[str, Any], groups: Mapping[str, Mapping[str, NDArray[Any]]]) -> None:
        """Save, and die when it is time."""
        super().save(step, state, groups)
        if step == self._last_step:
            raise Killed


class RecordingImages(CachedImages):
    """Images that note which were asked for, and in which batches."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.taken: list[list[str]] = []

    def take(self, indices: NDArray[Any]) -> Any:
        """Note the names, and return the images."""
        paths = [self._examples[index].path for index in indices]
        self.taken.append([f"{path.parent.name}/{path.name}" for path in paths])
        return super().take(indices)


@dataclass(frozen=True)
class Case:
    """What every run of a case starts from."""

    backbone: Path
    data: Any
    values: Any
    checkpoints: Path


@dataclass(frozen=True)
class Run:
    """What a run did and left."""

    batches: list[list[str]]
    """The images of training's batches, in order."""
    history: Any
    """None when it died."""
    newest: Checkpoint


def train(case: Case, last_step: int | None = None) -> Run:
    """Train as a new process would, to its end or until `last_step` is saved."""
    from image_classifier.training import fine_tuning
    from image_classifier.training.data.batches import Rows
    from image_classifier.training.data.decoding import Decoder
    from image_classifier.training.loop import fitting
    from image_classifier.training.loop.fitting import Session
    from image_classifier.training.model import backbone

    loaded = backbone.load(case.backbone, trainable=True, trust=False)
    decoder = Decoder(loaded.info.image_size, case.values.image_resize_interpolation)
    parts = (case.data.training, case.data.validation)
    images = [RecordingImages(decoder, part.examples) for part in parts]
    labels = [np.array([example.label for example in part.examples]) for part in parts]
    training, validation = map(Rows, images, labels)
    names = case.data.training.class_names
    network = fine_tuning.build(loaded, case.values, len(names))
    checkpoints = DyingCheckpoints(case.checkpoints, last_step)
    history = None
    with contextlib.suppress(Killed):
        history = fitting.fit(network, case.values, training, validation, names, Session(checkpoints=checkpoints))
    newest = Checkpoints(case.checkpoints, {}).latest()
    assert newest
    return Run(images[0].taken, history, newest)


def compare(case: Case, dies: Sequence[int], whole: Run) -> dict[str, Any]:
    """Die, continue to the end, and return what differs from the `whole` run."""
    for step in dies:
        assert train(case, step).history is None
    return differences(train(case), dies[-1], whole)


def differences(continued: Run, after: int, whole: Run) -> dict[str, Any]:
    """Return what of a run that was continued after a step is not as in the whole one, and how much was compared."""
    expected = whole.batches[after:]
    return {
        "batches": len(expected),
        "other batches": sum(one != other for one, other in zip(expected, continued.batches, strict=True)),
        "arrays": sum(map(len, whole.newest.groups.values())),
        "other arrays": different(whole.newest.groups, continued.newest.groups),
        "same state": continued.newest.state == whole.newest.state,
        "same history": continued.history.epochs == whole.history.epochs,
    }


def different(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """Return the names of arrays of two checkpoints that do not have the same bits."""
    bits = [
        {f"{group}/{name}": array.tobytes() for group, arrays in part.items() for name, array in arrays.items()}
        for part in (one, other)
    ]
    return sorted(name for name in {*bits[0], *bits[1]} if bits[0].get(name) != bits[1].get(name))


def forget_slots(case: Case, learned: int) -> None:
    """Save the newest checkpoint again with zeros for all but the first variables, the network's own."""
    checkpoints = Checkpoints(case.checkpoints, {})
    found = checkpoints.latest()
    assert found
    now = {name: array if int(name) < learned else array * 0 for name, array in found.groups["now"].items()}
    checkpoints.save(found.step, found.state, {**found.groups, "now": now})


def main(scratch: Path, name: str) -> None:
    """Run a case and print what differs; INCOMPLETE must differ, since its checkpoint was made incomplete."""
    tensorflow_start.start()
    import tensorflow as tf

    from image_classifier.class_folders import channel_listing
    from image_classifier.training.data import dataset
    from image_classifier.training.data.splits import DataSplits

    tf.config.experimental.enable_op_determinism()
    info = ModelInfo(image_size=(32, 40), source="test network")
    network = small.save_backbone(scratch / "backbone", info, small.build_network((None, None)))
    listing = channel_listing.list_channel(small.write_images(scratch / "images", count=12), "training")
    data = DataSplits(*dataset.split(listing, 0.25, 123), None)

    given, dies = CASES.get(name, CASES["in the first epoch"])
    undisturbed, broken = (
        Case(network, data, small.settings(**COMMON, **given), scratch / folder) for folder in ("whole", "broken")
    )
    whole = train(undisturbed)
    if name == INCOMPLETE:
        train(broken, dies[-1])
        forget_slots(broken, len(whole.newest.groups["best"]))
        print(json.dumps(differences(train(broken), dies[-1], whole)))
    else:
        print(json.dumps(compare(broken, dies, whole)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
