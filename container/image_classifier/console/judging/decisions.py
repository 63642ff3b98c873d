"""Labels to check, one after the other, and what was decided about them: in the overlay of the data set, never in it.

An image of a job is that of the data set by its channel and path. A job that trained on corrected labels saw a view, in
which files may lie in other class folders: there the name below the class folder counts, and the inode where several
images have that name, since a view holds hard links.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from image_classifier.console.datasets import contents, known, labels
from image_classifier.console.datasets.known import DataSet
from image_classifier.console.datasets.labels import Action, Edit, Overlay
from image_classifier.console.forms.data_choice import VIEWS
from image_classifier.console.judging.corrections import EXCLUDED, Corrections
from image_classifier.contract.errors import UserError
from image_classifier.evaluation.evidence import Evidence, Split
from image_classifier.evaluation.label_issues import LabelIssue
from image_classifier.runners import experiment
from image_classifier.runners.experiment import Experiment


class Decision(StrEnum):
    """What becomes of a label."""

    MOVE = "move"
    DROP = "drop"
    KEEP = "keep"


@dataclass(frozen=True)
class Item:
    """A label to check."""

    issue: LabelIssue
    image: str
    """In the data set; empty if it does not have it (any more)."""
    decision: Decision | None
    to: str = ""
    """The class of a move."""


@dataclass(frozen=True)
class Labelling:
    """The labels of a result's images."""

    data_set: DataSet | None
    """None: the job's images are not a data set of this console."""
    overlay: Overlay
    items: tuple[Item, ...]
    corrections: Corrections

    @property
    def decided(self) -> int:
        """Labels that were decided."""
        return sum(item.decision is not None for item in self.items)

    @property
    def corrected(self) -> int:
        """Images whose label differs from that of the job."""
        return sum(len(rows) for rows in self.corrections.labels.values())

    def next_open(self, after: int) -> int | None:
        """Return the next label that is not decided, from `after` on and then from the beginning; None: all are."""
        order = (*range(after, len(self.items)), *range(min(after, len(self.items))))
        return next((index for index in order if self.items[index].decision is None), None)


def labelling(home: Path, job: Path, evidence: Evidence, issues: tuple[LabelIssue, ...]) -> Labelling:
    """Return what was decided about the labels of a job.

    Raises:
        UserError: The overlay cannot be read.
    """
    asked = _asked(job)
    data_set = data_set_of(home, asked) if asked else None
    if data_set is None:
        nothing = tuple(Item(issue, "", None) for issue in issues)
        return Labelling(None, Overlay(), nothing, Corrections(evidence.class_names, {}))
    overlay, images = labels.read(home, data_set.key), _images(data_set, evidence)
    items = tuple(_item(issue, images[issue.split][issue.row], evidence, overlay) for issue in issues)
    return Labelling(data_set, overlay, items, _corrections(evidence, overlay, images))


def decide(home: Path, found: Labelling, at: int, decision: Decision, to: str, based_on: int) -> None:
    """Write one decision into the overlay.

    Raises:
        UserError: The label does not exist, its image is not in the data set, or the class name cannot be used.
        ChangedMeanwhileError: Labels were changed in another tab.
        OSError: The disk is full or not writable; nothing was changed.
    """
    if found.data_set is None or not 0 <= at < len(found.items) or not found.items[at].image:
        raise UserError("This label cannot be changed here: the image is not in a data set of this console.")
    item = found.items[at]
    reason = f"label to check, {decision.value}"
    change = (
        Edit(Action.EXCLUDE, (item.image,), reason=reason)
        if decision is Decision.DROP
        else Edit(Action.MOVE, (item.image,), to, reason)
    )
    labels.edit(home, found.data_set.key, change, based_on)


def data_set_of(home: Path, asked: Experiment) -> DataSet | None:
    """Return the data set that a job trained on, or a view of which; None if the console does not know it."""
    training = Path(asked.training)
    if training.is_relative_to(home / VIEWS):
        return known.find(home, training.relative_to(home / VIEWS).parts[0])
    return next((one for one in known.every(home) if one.folders.get(known.TRAINING) == training), None)


def remember(home: Path, job: Path) -> None:
    """Make the folders of a job a data set of the console, so that its labels can be decided.

    Raises:
        UserError: The job's images are not on this machine.
        OSError: The disk is full or not writable.
    """
    asked = _asked(job)
    folders = {} if asked is None else {name: Path(address) for name, address in asked.channels.items()}
    if not folders or not all(folder.is_dir() for folder in folders.values()):
        raise UserError("The images of this job are not on this machine. Open their folder on the Data screen.")
    known.add(home, folders[known.TRAINING].name, folders)


def _asked(job: Path) -> Experiment | None:
    try:
        return experiment.read(job / experiment.FILE)
    except UserError:
        return None


def _item(issue: LabelIssue, image: str, evidence: Evidence, overlay: Overlay) -> Item:
    if image not in overlay.labels:
        return Item(issue, image, None)
    label = overlay.labels[image]
    if label is None:
        return Item(issue, image, Decision.DROP)
    is_same = label == evidence.class_names[issue.given]
    return Item(issue, image, Decision.KEEP if is_same else Decision.MOVE, label)


def _corrections(evidence: Evidence, overlay: Overlay, images: Mapping[str, tuple[str, ...]]) -> Corrections:
    new = sorted({label for label in overlay.labels.values() if label is not None} - set(evidence.class_names))
    class_names = (*evidence.class_names, *new)
    index = {name: number for number, name in enumerate(class_names)}
    found: dict[str, dict[int, int]] = {}
    for split in evidence.splits:
        for row, image in enumerate(images[split.name]):
            if image in overlay.labels:
                label = overlay.labels[image]
                number = EXCLUDED if label is None else index[label]
                if number != split.labels[row]:
                    found.setdefault(split.name, {})[row] = number
    return Corrections(class_names, found)


def _images(data_set: DataSet, evidence: Evidence) -> dict[str, tuple[str, ...]]:
    """Return the image in the data set of each row of each split, or the empty string."""
    of_data: dict[str, Path] = {}
    below_class: dict[tuple[str, str], list[str]] = {}
    for channel, row in contents.read(data_set).images():
        image = channel.image(row)
        of_data[image] = channel.folder / channel.files[row]
        below_class.setdefault((channel.split_of(row), _flat(channel.files[row])), []).append(image)
    return {split.name: _of_split(split, of_data, below_class) for split in evidence.splits}


def _of_split(
    split: Split, of_data: Mapping[str, Path], below_class: Mapping[tuple[str, str], list[str]]
) -> tuple[str, ...]:
    channel = split.folder.name
    found = []
    for row, file in enumerate(split.files):
        image = f"{channel}/{file}"
        if image not in of_data:
            candidates = below_class.get((channel, _flat(file)), [])
            same = [one for one in candidates if len(candidates) == 1 or _is_same(of_data[one], split.path(row))]
            image = same[0] if len(same) == 1 else ""
        found.append(image)
    return tuple(found)


def _flat(file: str) -> str:
    """Return a path below its class folder in the form that views give it."""
    return file.split("/", 1)[-1].replace("/", "-")


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False
