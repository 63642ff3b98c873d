"""Mistakes in the lines of a manifest: one sentence for each kind, with the numbers of its lines."""

from dataclasses import dataclass, field
from enum import Enum

from image_classifier.class_folders.problems import Problem
from image_classifier.contract.names import listed, on_one_line

_SHOWN = 5
_LONGEST = 80
"""Characters of a detail that are shown."""


class Mistake(Enum):
    """A kind of mistake: what is wrong with the lines, and what to do."""

    NOT_UTF8 = ("the text is not UTF-8", "Save the manifest as UTF-8.")
    NOT_CSV = ("the line cannot be read as CSV", "Put cells with quotes or line breaks in double quotes.")
    HEADER = (
        "the first row neither names the columns path and label nor begins with an image's path",
        "Begin with the row path,label or path,label,split.",
    )
    COLUMN_TWICE = ("the first row names a column twice", "Leave one path, one label and at most one split.")
    CELLS = ("the row has another number of cells than path,label or path,label,split", "Correct these rows.")
    NOT_JSON = ("the line is not a JSON object", "Each line is one object with source-ref and a label.")
    NAME_TWICE = ("the object names an attribute twice", "Leave one of them.")
    NO_SOURCE = ("source-ref is missing or not a text", "It is the s3:// URI or the path of the image.")
    NO_PATH = ("the path is empty", "Give the path of the image below the channel.")
    NO_LABEL = ("the label is empty or missing", "Give each image a label, or leave the line out.")
    ODD_LABEL = (
        "the label is neither a text nor an integer",
        "Only one label an image is trained; leave lists and boxes out.",
    )
    FOLDER_LABEL = (
        "the label cannot be the name of a class folder",
        "Labels have no slash and no control character, and do not begin with a dot.",
    )
    SPLIT = ("the split is unknown", "Allowed are train, validation and test, or an empty cell.")
    ABSOLUTE = ("the path is absolute", "Paths are relative to the folder of the manifest.")
    OUTSIDE = ("the path leads out of the channel", "Copy the image into the channel.")
    INVALID_PATH = (
        "the path cannot be the name of a file",
        "Separate folders by one slash, and leave control characters out.",
    )
    OTHER_BUCKET = ("the object is in another bucket", "All images of a channel are in one bucket.")
    MISSING = (
        "no such file in the channel",
        "Paths are relative to the folder of the manifest, in the same case as the files; s3:// objects lie below the "
        "channel's prefix.",
    )
    BACKSLASH = ("the path has backslashes", "Separate folders by /.")
    NOT_A_FILE = ("the path is not that of a file", "Give the path of an image.")
    LABELS_DIFFER = ("the image has another label in an earlier line", "Give each image one label.")
    SPLITS_DIFFER = ("the image has another split in an earlier line", "Give each image one split.")


@dataclass
class Mistakes:
    """Collects the mistakes of one manifest."""

    manifest: str
    """Its path, for messages."""
    _found: dict[Mistake, list[tuple[int, str]]] = field(default_factory=dict)

    def add(self, kind: Mistake, line: int, detail: str = "") -> None:
        """Record a mistake in a line, counted from 1; `detail` is what the line has."""
        self._found.setdefault(kind, []).append((line, detail))

    def problems(self) -> list[Problem]:
        """Return one problem for each kind of mistake."""
        return [Problem(self._sentence(kind, sorted(lines))) for kind, lines in self._found.items()]

    def _sentence(self, kind: Mistake, lines: list[tuple[int, str]]) -> str:
        what, remedy = kind.value
        shown = [f"{number}{f' ({_shortened(detail)})' if detail else ''}" for number, detail in lines]
        word = "line" if len(lines) == 1 else "lines"
        return f"{on_one_line(self.manifest)}, {word} {listed(shown, _SHOWN)}: {what}. {remedy}"


def _shortened(detail: str) -> str:
    shown = on_one_line(detail)
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 1]}…"
