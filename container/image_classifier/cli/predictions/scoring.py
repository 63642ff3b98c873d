"""Accuracy, recall by class and confusions of the answers to labelled images."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from rich import box
from rich.table import Table

LARGEST_MATRIX = 10
"""Up to so many classes the confusions are a matrix; with more, the most frequent ones are listed."""
MOST_CONFUSIONS = 10


@dataclass(frozen=True)
class Answered:
    """The label of an image and the class that the model predicts."""

    label: str
    predicted: str

    @property
    def is_right(self) -> bool:
        """Whether the answer is the image's class."""
        return self.label == self.predicted


@dataclass(frozen=True)
class Score:
    """Answers to labelled images, counted."""

    answers: tuple[Answered, ...]

    @property
    def images(self) -> int:
        """How many there are."""
        return len(self.answers)

    @property
    def right(self) -> int:
        """How many answers are right."""
        return sum(one.is_right for one in self.answers)

    @property
    def accuracy(self) -> float:
        """Share of right answers, 0 to 1."""
        return self.right / self.images

    @property
    def labels(self) -> list[str]:
        """The classes that occur among images and answers, sorted."""
        return sorted({name for one in self.answers for name in (one.label, one.predicted)})

    @property
    def majority(self) -> tuple[str, float]:
        """The largest class and its share of the images: the accuracy of always answering it."""
        label, count = max(Counter(one.label for one in self.answers).items(), key=lambda item: (item[1], item[0]))
        return label, count / self.images

    def recalls(self) -> list[tuple[str, int, int]]:
        """Return class, right answers and images for each class that has images, the weakest first."""
        images, right = Counter[str](), Counter[str]()
        for one in self.answers:
            images[one.label] += 1
            right[one.label] += one.is_right
        return sorted(
            ((label, right[label], count) for label, count in images.items()),
            key=lambda row: (row[1] / row[2], row[0]),
        )

    def confusions(self) -> list[tuple[str, str, int]]:
        """Return class, wrong answer and how often, the most frequent first."""
        wrong = Counter((one.label, one.predicted) for one in self.answers if not one.is_right)
        return [(label, predicted, count) for (label, predicted), count in wrong.most_common()]


def headline(score: Score) -> str:
    """Return the accuracy and its baseline in one line."""
    label, share = score.majority
    return (
        f"Accuracy {score.accuracy:.4f} ({score.right:,} of {score.images:,} images; always answering {label}: "
        f"{share:.4f})"
    )


def tables(score: Score) -> Sequence[Table]:
    """Return recall by class, and the confusions."""
    recalls = _table("class", "right", "images", "recall")
    for label, right, images in score.recalls():
        recalls.add_row(label, f"{right:,}", f"{images:,}", f"{right / images:.4f}")
    if not score.confusions():
        return (recalls,)
    return (recalls, _matrix(score) if len(score.labels) <= LARGEST_MATRIX else _list_of_confusions(score))


def _matrix(score: Score) -> Table:
    counts = Counter((one.label, one.predicted) for one in score.answers)
    found = _table("class \\ answer", *score.labels)
    for label in score.labels:
        found.add_row(label, *(f"{counts[label, predicted]:,}" for predicted in score.labels))
    return found


def _list_of_confusions(score: Score) -> Table:
    found = _table("class", "answered as", "images", left=2)
    for label, predicted, count in score.confusions()[:MOST_CONFUSIONS]:
        found.add_row(label, predicted, f"{count:,}")
    return found


def _table(*columns: str, left: int = 1) -> Table:
    found = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for number, column in enumerate(columns):
        found.add_column(column, justify="left" if number < left else "right", overflow="fold")
    return found
