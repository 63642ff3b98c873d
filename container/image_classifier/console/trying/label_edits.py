"""Corrections of images that a known data set holds: edits of its labels."""

from pathlib import Path

from image_classifier.console.datasets import known, labels
from image_classifier.console.datasets.known import DataSet
from image_classifier.console.datasets.labels import Action, Edit
from image_classifier.contract.names import normalised

_REASON = "wrong answer on the Try screen"


def data_set_of(home: Path, file: Path) -> tuple[DataSet, str] | None:
    """Return the data set that holds a file, and the image's name in it; None if no known one does.

    `file` is a path without links.
    """
    for data_set in known.every(home):
        for channel, folder in data_set.folders.items():
            real = folder.resolve()
            if file.is_relative_to(real):
                return data_set, f"{channel}/{file.relative_to(real).as_posix()}"
    return None


def correct(home: Path, file: Path, right_class: str) -> str | None:
    """Give an image its right class, or with "" that of its folder; return what was done, None without a data set.

    Raises:
        UserError: The class cannot be a folder's name, or the labels were changed meanwhile.
        OSError: The disk is full or not writable.
    """
    found = data_set_of(home, file)
    if found is None:
        return None
    data_set, image = found
    change = (
        Edit(Action.MOVE, (image,), normalised(right_class), _REASON) if right_class else Edit(Action.RESTORE, (image,))
    )
    labels.edit(home, data_set.key, change, labels.read(home, data_set.key).revision)
    done = f"is {right_class}" if right_class else "is its folder's again"
    return f"Its label in the data set {data_set.name} {done}; train again to use it."
