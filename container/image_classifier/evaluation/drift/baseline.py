"""The baseline of drift: what an artefact carries of the images that its model was trained and judged on."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from image_classifier import artifacts
from image_classifier.contract.errors import UserError, first_line
from image_classifier.evaluation import array_file, mistakes
from image_classifier.evaluation.drift import embedding
from image_classifier.evaluation.drift.embedding import EmbeddingBaseline
from image_classifier.evaluation.drift.profile import (
    UNKNOWN,
    Distribution,
    Observations,
    Profile,
)
from image_classifier.evaluation.evidence import TRAINING, Evidence
from image_classifier.evaluation.traits import Traits

_VERSION = 1
_EMBEDDING = ("origin", "basis", "mean", "covariance", "sample")


@dataclass(frozen=True)
class Baseline:
    """What production is compared with."""

    class_names: tuple[str, ...]
    profile: Profile
    """Traits of all images; predictions and confidence of the judged ones."""
    confusion: NDArray[np.int64] | None = None
    """(K, K) of the judged images: rows are labels, columns are answers. None if only statistics are known."""
    embedding: EmbeddingBaseline | None = None

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return what is stored in an .npz file: some 400 KB for 1,280 features."""
        described = json.dumps(self._description()).encode()
        stored: dict[str, NDArray[np.generic]] = {"description": np.frombuffer(described, np.uint8)}
        for name, column in self.profile.scalars.items():
            stored[f"scalar/{name}"] = column.values
        if self.confusion is not None:
            stored["confusion"] = self.confusion
        if self.embedding is not None:
            found = self.embedding
            stored |= {"origin": found.origin, "basis": array_file.compact(found.basis), "mean": found.mean}
            stored |= {"covariance": found.covariance, "sample": array_file.compact(found.sample)}
        return stored

    def _description(self) -> dict[str, object]:
        scalars = {name: [column.total, column.missing] for name, column in self.profile.scalars.items()}
        return {
            "version": _VERSION,
            "class_names": self.class_names,
            "images": self.profile.images,
            "scalars": scalars,
            "categories": self.profile.categories,
            "embedded_images": None if self.embedding is None else self.embedding.images,
        }


def from_arrays(arrays: Mapping[str, NDArray[np.generic]]) -> Baseline:
    """Return the baseline that `Baseline.arrays` stored.

    Raises:
        ValueError: The arrays are not such a baseline, or of another version.
    """
    try:
        described = json.loads(np.asarray(arrays["description"], np.uint8).tobytes())
        if described["version"] != _VERSION:
            raise ValueError(f"version {described['version']} is unknown, {_VERSION} is read")
        scalars = {
            name: Distribution(np.asarray(arrays[f"scalar/{name}"], np.float32), int(total), int(missing))
            for name, (total, missing) in described["scalars"].items()
        }
        found = Baseline(
            class_names=tuple(map(str, described["class_names"])),
            profile=Profile(int(described["images"]), scalars, _categories(described["categories"])),
            confusion=np.asarray(arrays["confusion"], np.int64) if "confusion" in arrays else None,
            embedding=_stored_embedding(arrays, described["embedded_images"]),
        )
    except (KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise ValueError(f"{first_line(error)} is missing or has another form") from error
    _check(found)
    return found


def _categories(found: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, int]]:
    counts = {str(name): {str(value): int(count) for value, count in values.items()} for name, values in found.items()}
    if any(min(values.values(), default=0) < 0 or not sum(values.values()) for values in counts.values()):
        raise ValueError("the images by category are not counts")
    return counts


def _stored_embedding(arrays: Mapping[str, NDArray[np.generic]], images: int | None) -> EmbeddingBaseline | None:
    if images is None:
        return None
    found = {name: np.asarray(arrays[name], np.float32) for name in _EMBEDDING}
    return EmbeddingBaseline(images=int(images), **found)


def _check(found: Baseline) -> None:
    classes = len(found.class_names)
    for name, column in found.profile.scalars.items():
        if column.values.ndim != 1 or not 0 < len(column.values) <= column.total or (np.diff(column.values) < 0).any():
            raise ValueError(f"the values of {name} are not a distribution")
    if found.confusion is not None and (found.confusion.shape != (classes, classes) or found.confusion.min() < 0):
        raise ValueError(f"the confusion matrix is not one of {classes} classes")
    if found.embedding is not None and not found.embedding.is_consistent:
        raise ValueError("the arrays of the embeddings do not fit together")


def write(folder: Path, baseline: Baseline) -> None:
    """Write the baseline into a model folder.

    Raises:
        OSError: The disk is full or not writable.
    """
    array_file.write(folder / artifacts.DRIFT_BASELINE_FILE, baseline.arrays())


def read(folder: Path) -> Baseline:
    """Read the baseline of a model folder.

    Raises:
        UserError: The folder has no baseline, or it is corrupt.
    """
    path = folder / artifacts.DRIFT_BASELINE_FILE
    if not path.is_file():
        raise UserError(
            f"{folder} has no drift baseline ({path.name}). Jobs with report=True, the default, "
            "write one if they have time for their report."
        )
    try:
        return from_arrays(array_file.read(path))
    except ValueError as error:
        raise array_file.corrupt(path, str(error)) from error


def build(evidence: Evidence, traits: Mapping[str, Sequence[Traits | None]]) -> Baseline:
    """Build the baseline of a model from its evidence; `traits` by the name of the split.

    Predictions are those for the judged images alone, which the model was not trained on; traits are of every split.
    """
    judged, names = evidence.judged, evidence.class_names
    assert judged.probabilities is not None
    own = Observations([None] * len(judged), judged.predicted, judged.probabilities.max(axis=1)).profile(names)
    everything = [one for split in traits.values() for one in split]
    unanswered = np.full(len(everything), UNKNOWN), np.full(len(everything), np.nan, np.float32)
    whole = Observations(everything, *unanswered).profile(names)
    return Baseline(
        class_names=names,
        profile=Profile(
            max(whole.images, len(judged)), {**whole.scalars, **own.scalars}, {**whole.categories, **own.categories}
        ),
        confusion=mistakes.confusion_matrix(judged, len(names)),
        embedding=_embedding(evidence),
    )


def _embedding(evidence: Evidence) -> EmbeddingBaseline | None:
    if not evidence.features_are_served:
        return None
    splits = [split for split in evidence.splits if split.features is not None and len(split)]
    held_out = [split.features for split in splits if split.name != TRAINING and split.features is not None]
    training = [split.features for split in splits if split.name == TRAINING and split.features is not None]
    if not held_out:
        return None
    return embedding.fit(np.concatenate(held_out), np.concatenate(training) if training else None)
