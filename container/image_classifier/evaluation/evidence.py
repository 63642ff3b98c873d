"""What an evaluation starts from: images with labels, and what the model computed for them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from image_classifier.evaluation.statistics import Proportion

TRAINING, VALIDATION, TEST = "training", "validation", "test"


def from_parent(folder: Path, file: str) -> str:
    """Return the path of a file below a split's folder from the folder that holds it: `training/cat/1.jpg`."""
    return f"{folder.name}/{file}" if folder.name else file


@dataclass(frozen=True)
class Split:
    """Labelled images of one part of the data; row i of every array is of the i-th file."""

    name: str
    """`TRAINING`, `VALIDATION`, `TEST`, or the name of a folder that was given."""
    folder: Path
    files: tuple[str, ...]
    """Paths below `folder`."""
    labels: NDArray[np.int64]
    """Class indices (n,)."""
    probabilities: NDArray[np.float32] | None = None
    """(n, K), two columns for a binary model; of training images those by heads that did not see the image, and NaN in
    a row that was never held out."""
    features: NDArray[np.float32] | None = None
    """(n, D), the inputs of the head; without a head those of the backbone before it was tuned."""

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.files)

    @property
    def paths(self) -> list[Path]:
        """The files of all rows."""
        return [self.path(row) for row in range(len(self))]

    def path(self, row: int) -> Path:
        """Return the file of a row."""
        return self.folder / self.files[row]

    def part(self, rows: NDArray[np.int64]) -> "Split":
        """Return some of its images, by their rows (m,)."""
        return Split(
            self.name,
            self.folder,
            tuple(self.files[row] for row in rows.tolist()),
            self.labels[rows],
            None if self.probabilities is None else self.probabilities[rows],
            None if self.features is None else self.features[rows],
        )

    @property
    def predicted(self) -> NDArray[np.int64]:
        """Top-1 class indices (n,).

        Raises:
            ValueError: The split has no probabilities.
        """
        if self.probabilities is None:
            raise ValueError(f"{self.name} has no probabilities")
        return np.asarray(self.probabilities.argmax(axis=1), np.int64)


@dataclass(frozen=True)
class Head:
    """The classifier on the features, without which no OOD score and no temperature can be computed."""

    kernel: NDArray[np.float32]
    """(D, K), or (D, 1) of a binary model."""
    bias: NDArray[np.float32]
    """(K,) or (1,)."""


@dataclass(frozen=True)
class LearningPoint:
    """Accuracy of a head that was fitted on a part of the training images."""

    share: float
    images: int
    accuracy: Proportion


@dataclass(frozen=True)
class Evidence:
    """Everything that is known about a model and its data. What a job does not have is None or empty."""

    class_names: tuple[str, ...]
    judged: Split
    """The images that the score is of: test if there are any, else validation. With probabilities."""
    others: tuple[Split, ...] = ()
    """The other splits; training last."""
    head: Head | None = None
    features_are_served: bool = True
    """Whether the served network outputs the same features: not where it was tuned after they had been computed."""
    strength: float | None = None
    """C, the inverse regularisation, with which `heads.linear_head` fits a head on the features."""
    class_weights: tuple[float, ...] = ()
    """(K,) weights of the classes in the loss; empty: all are equal."""
    history: Sequence[Mapping[str, float]] = ()
    """Metrics by epoch, named as in `contract.metrics`."""
    best_epoch: int | None = None
    """Index into `history`."""
    temperature: float = 1.0
    """By which the logits were divided, but for those of training images: their heads were never calibrated."""
    learning_curve: Sequence[LearningPoint] = ()
    model_info: Mapping[str, Any] = field(default_factory=dict)
    """Contents of the artefact's model info file."""
    skipped: Sequence[tuple[str, str]] = ()
    """Unreadable files, see `from_parent`, and the reason."""
    timings: Mapping[str, float] = field(default_factory=dict)
    """Seconds by the name of a phase, in order."""
    sizes: Mapping[str, int] = field(default_factory=dict)
    """Bytes of the network's forms in the artefact, see `network_forms.sizes`."""

    @property
    def splits(self) -> tuple[Split, ...]:
        """All splits, the judged one first."""
        return (self.judged, *self.others)

    @property
    def training(self) -> Split | None:
        """The training images, if they are known."""
        return self.split(TRAINING)

    def split(self, name: str) -> Split | None:
        """Return a split by its name."""
        return next((one for one in self.splits if one.name == name), None)
