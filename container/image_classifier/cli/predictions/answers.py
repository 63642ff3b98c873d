"""A server's answers for images: parsed, and compared with the folders of the images."""

import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from image_classifier.cli.predictions.image_files import ImageFile
from image_classifier.cli.predictions.scoring import Answered, Score
from image_classifier.contract import binary_rule
from image_classifier.contract.errors import PlatformError
from image_classifier.contract.names import listed, on_one_line

_LARGEST = 1.001
"""Of a probability: a sum of 1 may be exceeded by rounding."""
_SHOWN = 40
"""Characters of a key in a message."""


@dataclass(frozen=True)
class Answer:
    """A server's answer for an image: the classes by probability, the most probable first."""

    image: ImageFile
    raw: Mapping[str, Any]
    ranked: tuple[tuple[float, str], ...]
    """Probability, 0 to 1, and name; the index for a class without a name."""

    @classmethod
    def of(cls, image: ImageFile, raw: Mapping[str, Any]) -> "Answer":
        """Read an answer in any of the server's JSON formats.

        Raises:
            PlatformError: It is not such an answer.
        """
        probabilities: Any = raw.get("probabilities")
        names: Any = raw.get("labels")
        if not _is_list(probabilities, _is_probability) or not (names is None or _is_list(names, _is_name)):
            raise _malformed(image, raw)
        if names is None:
            # One probability without labels is that of class 1: no model has a single class.
            names = [f"class {index}" for index in range(max(len(probabilities), 2) if probabilities else 0)]
        is_binary = len(names) == 2 and len(probabilities) == 1
        if is_binary:
            probabilities = [1 - probabilities[0], probabilities[0]]
        if len(names) != len(probabilities):
            raise _malformed(image, raw)
        # Stable, so that ties stay in the server's order.
        ranked = sorted(zip(probabilities, names, strict=True), key=lambda pair: -pair[0])
        if is_binary and binary_rule.is_class_1(probabilities[1]):
            ranked = list(zip(reversed(probabilities), reversed(names), strict=True))
        return cls(image, raw, tuple(ranked))

    @property
    def is_wrong(self) -> bool:
        """Whether the image's folder is a class of the model, and another one was predicted."""
        names = [unicodedata.normalize("NFC", name) for _, name in self.ranked]
        return self.image.folder_name in names[1:]

    @property
    def summary(self) -> str:
        """The three most probable classes in words."""
        return "   ".join(f"{on_one_line(name)} {100 * probability:.1f} %" for probability, name in self.ranked[:3])


def uncounted(answers: Sequence[Answer]) -> str | None:
    """Return a sentence about images whose folders are not classes of the model; None if all count.

    A single folder of another name is taken for one of unlabelled images.
    """
    classes = {unicodedata.normalize("NFC", name) for answer in answers for _, name in answer.ranked}
    folders = {answer.image.folder_name for answer in answers} - {None}
    named = [answer for answer in answers if answer.image.folder_name not in {None, *classes}]
    if not named or len(folders) < 2 or not all(answer.raw.get("labels") for answer in named):
        return None
    images = "1 image" if len(named) == 1 else f"{len(named):,} images"
    unknown = listed(sorted({on_one_line(str(answer.image.folder_name)) for answer in named}))
    counted = "Not counted" if len(named) < len(answers) else "No accuracy"
    return (
        f"{counted}: {images} in folders that are not classes of the model: {unknown}. Its classes: "
        f"{listed(sorted(map(on_one_line, classes)))}."
    )


def score(answers: Iterable[Answer]) -> Score | None:
    """Compare the answers with the classes that the images' folders stand for.

    Images in folders that are not classes of the model do not count; None if no image is left, or if the answers have
    no class names.
    """
    found: list[Answered] = []
    for answer in answers:
        names = {unicodedata.normalize("NFC", name): name for _, name in answer.ranked}
        if answer.image.folder_name in names and answer.raw.get("labels"):
            found.append(Answered(names[answer.image.folder_name], answer.ranked[0][1]))
    return Score(tuple(found)) if found else None


def _is_list(value: Any, is_item: Callable[[Any], bool]) -> bool:
    return isinstance(value, list) and all(map(is_item, value))


def _is_probability(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= _LARGEST


def _is_name(value: Any) -> bool:
    return isinstance(value, str)


def _malformed(image: ImageFile, raw: Mapping[str, Any]) -> PlatformError:
    keys = listed(sorted(on_one_line(str(key))[:_SHOWN] for key in raw)) or "nothing"
    return PlatformError(
        f"{image.path}: the answer has {keys}; expected a list of probabilities, and one of as many labels or none. "
        "The server is another program, or of another version: give the address of one that scripts/serve-locally, "
        "scripts/launch deploy or the Docker image serves."
    )
