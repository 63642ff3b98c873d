"""What a recipe measured and chose: one block of the log, and the same as data for the reports."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from image_classifier.training.recipes.cross_validation import Score


@dataclass(frozen=True)
class HeadRecord:
    """Stage 0: the convex head."""

    images: int
    features: int
    folds: int
    strength: float
    """The chosen C of the logistic regression."""
    score: Score
    """Of that C."""
    scores: Mapping[str, Score]
    """By every C that was tried, as text."""
    seconds: float

    def line(self) -> str:
        """Return the line of the log."""
        return (
            f"head: {shown(self.score)} in {self.folds}-fold cross-validation of {self.images:,} images with "
            f"{self.features:,} features, C={self.strength:g} of {len(self.scores)}; {self.seconds:.1f} s"
        )


@dataclass(frozen=True)
class Record:
    """All stages of a recipe."""

    chosen: str
    """What was chosen: "head" or "network"."""
    rule: str
    """The rule that fired, with its numbers, without a full stop."""
    head: HeadRecord
    refit: str
    """Whether the head was fitted again, and why."""

    def lines(self) -> list[str]:
        """Return the block of the log; no line matches a metric's expression."""
        what = {"head": "the head on the frozen backbone", "network": "the fine-tuned network"}[self.chosen]
        return [
            f"Recipe: {what} is chosen, since {self.rule}.",
            *(f"Recipe: {line}." for line in (self.head.line(), f"refit: {self.refit}")),
        ]

    def to_json(self) -> dict[str, Any]:
        """Return the record for `metrics.json` and the model info."""
        return asdict(self)


def shown(score: Score) -> str:
    """Return an accuracy with its standard error."""
    return f"accuracy {score.accuracy:.4f} ± {score.standard_error:.4f}"
