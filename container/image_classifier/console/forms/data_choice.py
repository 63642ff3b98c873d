"""The data sets that a job can train on, as the form shows and uses them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from image_classifier.console import datasets
from image_classifier.console.datasets import contents, known, labels, selections
from image_classifier.console.datasets.contents import Channel, Contents
from image_classifier.console.datasets.known import TRAINING, DataSet
from image_classifier.console.datasets.labels import Overlay
from image_classifier.console.datasets.selections import Counts
from image_classifier.console.estimating.estimates import Images
from image_classifier.console.estimating.request import Sizes
from image_classifier.console.forms.checking import Data
from image_classifier.contract import plan_rules

VIEWS = "training-views"
"""Folder of the views with edited labels that jobs train on, below the console's home."""


@dataclass(frozen=True)
class DataChoice:
    """A data set with its present labels."""

    data_set: DataSet
    contents: Contents
    overlay: Overlay
    counts: Counts

    @property
    def data(self) -> Data:
        """What the form needs to make an experiment; jobs get the channels of `channels_for`."""
        return Data(self.data_set.key, self.data_set.name, self.data_set.channels)

    @property
    def by_class(self) -> Mapping[str, int]:
        """Training images by class."""
        return {name: found.get(TRAINING, 0) for name, found in self.counts.by_class.items()}

    @property
    def sizes(self) -> Sizes:
        """Images by channel."""
        totals = {
            channel: sum(found.get(channel, 0) for found in self.counts.by_class.values())
            for channel in known.IMAGE_CHANNELS
        }
        used = [count for count in self.by_class.values() if count]
        return Sizes(totals[TRAINING], totals["validation"], totals["test"], len(used), plan_rules.smallest_class(used))

    @property
    def can_train(self) -> bool:
        """Whether there are two classes with two images each at least."""
        return sum(count > 1 for count in self.by_class.values()) > 1

    @cached_property
    def images(self) -> Images:
        """The images for an estimate."""
        training = next((channel for channel in self.contents.channels if channel.name == TRAINING), None)
        files = self._files(training) if training else {}
        return Images(f"{self.contents.digest}-{self.overlay.revision}", files, self.sizes)

    def _files(self, channel: Channel) -> dict[str, list[str]]:
        # As text and by number: pathlib and names take a second or more for 100,000 images.
        if not self.overlay.labels:
            folder = f"{channel.folder}/"
            by_label: list[list[str]] = [[] for _ in channel.class_names]
            for label, file in zip(channel.labels, channel.files, strict=True):
                if label >= 0:
                    by_label[label].append(folder + file)
            return {name: files for name, files in zip(channel.class_names, by_label, strict=True) if files}
        found: dict[str, list[str]] = {}
        for row, file in enumerate(channel.files):
            if name := self.overlay.class_of(channel.image(row), channel.class_of(row)):
                found.setdefault(name, []).append(f"{channel.folder}/{file}")
        return found


def every(home: Path) -> list[DataSet]:
    """Return the data sets that the console knows."""
    return known.every(home)


def find(home: Path, key: str) -> DataChoice | None:
    """Return a data set by its key, read with its present labels; None if it is unknown."""
    data_set = known.find(home, key) if key else None
    if data_set is None:
        return None
    found, overlay = contents.read(data_set), labels.read(home, key)
    return DataChoice(data_set, found, overlay, selections.count(found, overlay))


def channels_for(home: Path, choice: DataChoice, job: str) -> dict[str, str]:
    """Return the folders that a job trains on: the data set's own, or new ones with the edited labels.

    Raises:
        UserError: An image vanished meanwhile, or the folder cannot be written.
    """
    folder = home / VIEWS / choice.data_set.key / job
    found = datasets.channels_for_training(home, choice.data_set.key, folder)
    return {name: str(path) for name, path in found.items()}
