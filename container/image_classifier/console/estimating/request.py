"""What an estimate depends on, and the images and hyperparameters of the small job that measures it."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from image_classifier.contract import contradictions, hyperparameters, plan_rules
from image_classifier.contract.hyperparameters import Hyperparameters
from image_classifier.contract.value_forms import encode

Item = TypeVar("Item")
IMAGES = 32
"""Of the user's own images."""
PIXEL_EPOCHS = 3
"""Of a small job that trains on pixels; the first reads the images."""
TRIALS = 5
"""Of a small search."""
MOST_CLASSES = 16
"""Classes of these images, at least two of each."""
_FEW_ROWS, _MANY_ROWS = 128, 640
"""Rows of the small job, each of the images several times: as many as make the job compute features in the same way."""
_RELEVANT = (
    *("recipe", "train_only_top_layer", "augmentation", "batch_size", "image_resize_interpolation", "report"),
    *("report_thumbnails", "mixed_precision", "deterministic", "xla", "calibration", "binary_mode", "optimizer"),
    *("unfreeze_after", "validation_split_ratio"),
)
"""Hyperparameters that change what an image or a step costs; of the others only their number of repetitions counts."""


@dataclass(frozen=True)
class Sizes:
    """Images of a data set."""

    training: int
    """Before a part of them is held out."""
    validation: int
    """0: a part of the training images."""
    test: int
    classes: int
    smallest_class: int
    """Training images, see `plan_rules.smallest_class`."""

    def split(self, ratio: float) -> "Sizes":
        """Return the sizes after a part of the training images is held out, where no validation images are given."""
        if self.validation:
            return self
        held_out = round(self.training * ratio)
        smallest = self.smallest_class - round(self.smallest_class * ratio)
        return Sizes(self.training - held_out, held_out, self.test, self.classes, smallest)

    @property
    def total(self) -> int:
        """Images whose features are computed."""
        return self.training + self.validation + self.test


@dataclass(frozen=True)
class Request:
    """One measurement: images, model and settings. Equal ones have the same result on the same machine."""

    images: tuple[tuple[str, str], ...]
    """Class and path of each image that is used."""
    content: str
    """Digest of the data set's content."""
    model: str
    """A name of the catalogue, or the path of an archive or a folder."""
    settings: Mapping[str, str]
    """Hyperparameters of the small job."""
    rows: int
    """Of the small job."""
    epochs: int | None = None
    """After which it is ended; None: it runs to its end."""

    @property
    def key(self) -> str:
        """A name for files."""
        path = Path(self.model)
        stamp = path.stat().st_mtime_ns if path.exists() else 0
        shown = [self.content, self.images, self.model, stamp, dict(self.settings), self.rows, self.epochs]
        return hashlib.sha256(json.dumps(shown).encode(errors="surrogatepass")).hexdigest()[:24]

    def to_json(self) -> dict[str, Any]:
        """Return the request for the process that measures."""
        return {**asdict(self), "settings": dict(self.settings)}

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> "Request":
        """Return the request that `to_json` turned into JSON's types."""
        images = tuple((name, path) for name, path in found["images"])
        settings = MappingProxyType(found["settings"])
        return cls(images, found["content"], found["model"], settings, found["rows"], found["epochs"])


def choose(files: Mapping[str, Sequence[str]], most: int = IMAGES) -> tuple[tuple[str, str], ...]:
    """Return class and path of up to `most` images, evenly spaced over the classes and over each class's files."""
    names = [name for name in sorted(files) if len(files[name]) > 1]
    names = _evenly(names, MOST_CLASSES)
    each = max(2, most // max(len(names), 1))
    return tuple((name, path) for name in names for path in _evenly(files[name], each))


def _evenly(items: Sequence[Item], count: int) -> list[Item]:
    if len(items) <= count:
        return list(items)
    return [items[index * len(items) // count] for index in range(count)]


def settings_of(values: Hyperparameters, on_pixels: bool) -> dict[str, str]:
    """Return the hyperparameters of the small job.

    With `on_pixels` it trains as asked for, for `PIXEL_EPOCHS`; else on the features of a frozen network, and to its
    end.
    """
    kept = {name: encode(getattr(values, name)) for name in _RELEVANT}
    kept.pop("unfreeze_after")
    if on_pixels:
        return {**kept, "epochs": str(PIXEL_EPOCHS), "report": "False"}
    frozen = {**kept, "train_only_top_layer": "True", "augmentation": "False"}
    if values.recipe == contradictions.AUTO:
        chosen = {one.name for one in hyperparameters.DECLARATIONS if one.chosen_by_recipe}
        return {name: value for name, value in frozen.items() if name not in chosen}
    trials = {"search_trials": str(TRIALS)} if values.recipe == contradictions.SEARCH else {}
    return {**frozen, "epochs": str(PIXEL_EPOCHS), **trials}


def rows_of(sizes: Sizes, on_pixels: bool) -> int:
    """Return how many rows the small job has."""
    if on_pixels:
        return min(sizes.total, _FEW_ROWS)
    return _MANY_ROWS if sizes.total >= plan_rules.OPENVINO_IMAGES else min(sizes.total, _FEW_ROWS)
