"""What a recipe measured and chose: one block of the log, and the same as data for the reports."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from image_classifier.heads.cross_validation import Score


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
        judged = f"in {self.folds}-fold cross-validation" if self.folds > 1 else "on one held-out part"
        return (
            f"head: {shown(self.score)} {judged} of {self.images:,} images with "
            f"{self.features:,} features, C={self.strength:g} of {len(self.scores)}; {self.seconds:.1f} s"
        )


@dataclass(frozen=True)
class EarlierRecord:
    """The head of an earlier job, compared with the new one on the validation images."""

    kept: bool
    images: int
    new_accuracy: float
    earlier_accuracy: float
    difference: float
    """Of the earlier head to the new one."""
    standard_error: float

    def line(self) -> str:
        """Return the line of the log."""
        return (
            f"head of the earlier job: {'kept' if self.kept else 'not kept'}, accuracy {self.earlier_accuracy:.4f} "
            f"against {self.new_accuracy:.4f} on {self.images:,} validation images, difference "
            f"{self.difference:+.4f} ± {self.standard_error:.4f}"
        )


@dataclass(frozen=True)
class RunRecord:
    """One setting in one rung of the race."""

    rung: int
    settings: str
    brier_score: float | None
    """None: the loss became infinite."""


@dataclass(frozen=True)
class ComparisonRecord:
    """Stage 2: head and tuned network on the validation images."""

    images: int
    only_head: int
    """Images that the head alone classifies correctly."""
    only_network: int
    head_accuracy: float
    network_accuracy: float
    difference: float
    standard_error: float
    """Of the paired difference."""
    network_wins: bool
    rule: str
    copies: int = 0
    """Validation images beside `images` that are copies of training images or of each other, and were not compared."""


@dataclass(frozen=True)
class FinalistRecord:
    """A network that was tuned as well, and not chosen."""

    settings: str
    epochs: int
    accuracies: Mapping[str, float]
    """By alpha, as text, on the images of the comparison; that of alpha 0 is the head's."""


@dataclass(frozen=True)
class TuningRecord:
    """Stage 1: the tuned network."""

    reason: str = ""
    """Why no network was tuned; empty if one was."""
    budget_seconds: float | None = None
    budget_source: str = ""
    plan: str = ""
    race: tuple[RunRecord, ...] = ()
    settings: str = ""
    """Those of the network that was chosen of the tuned ones."""
    others: tuple[FinalistRecord, ...] = ()
    epochs: int = 0
    alpha: float | None = None
    """Share of the tuned weights in the interpolation with the head of stage 0."""
    accuracies: Mapping[str, float] = field(default_factory=dict)
    """By alpha, as text, on the images of the comparison; that of alpha 0 is the head's."""
    race_seconds: float = 0.0
    seconds: float = 0.0
    """Of the whole stage, the race included."""
    stopped: str | None = None
    """Why the tuning stopped before its last epoch."""
    comparison: ComparisonRecord | None = None

    @classmethod
    def from_json(cls, state: Mapping[str, Any]) -> "TuningRecord":
        """Return the record that `dataclasses.asdict` turned into JSON-able values."""
        given = dict(state)
        given["race"] = tuple(RunRecord(**one) for one in given["race"])
        given["others"] = tuple(FinalistRecord(**one) for one in given["others"])
        if given["comparison"]:
            given["comparison"] = ComparisonRecord(**given["comparison"])
        return cls(**given)

    def line(self) -> str:
        """Return the line of the log."""
        if self.reason:
            return f"fine-tuning: no, {self.reason}"
        stopped = f", stopped early ({self.stopped.rstrip('.')})" if self.stopped else ""
        others = "".join(
            f"; and {one.epochs} epochs with {one.settings}: validation accuracy {_of_network(one.accuracies):.4f} "
            f"against {_of_network(self.accuracies):.4f}"
            for one in self.others
        )
        return (
            f"fine-tuning: {self.epochs} epochs with {self.settings}{stopped}, alpha {self.alpha:g}{others}; "
            f"{self.seconds:.0f} s, the race {self.race_seconds:.0f} s of them"
        )


@dataclass(frozen=True)
class Record:
    """All stages of a recipe."""

    chosen: str
    """What was chosen: "head" or "network"."""
    rule: str
    """The rule that fired, with its numbers, without a full stop."""
    features_seconds: float
    """Of the feature pass over training and validation images, in this run of the job."""
    head: HeadRecord
    earlier: EarlierRecord | None
    tuning: TuningRecord
    refit: str
    """Whether the head was fitted again, and why."""

    def lines(self) -> list[str]:
        """Return the block of the log; no line matches a metric's expression."""
        what = {"head": "the head on the frozen backbone", "network": "the fine-tuned network"}[self.chosen]
        lines = (
            f"{what} is chosen, since {self.rule}",
            f"features: {self.features_seconds:.1f} s",
            self.head.line(),
            *([self.earlier.line()] if self.earlier else []),
            self.tuning.line(),
            f"refit: {self.refit}",
        )
        return [f"Recipe: {line}." for line in lines]

    def to_json(self) -> dict[str, Any]:
        """Return the record for `metrics.json` and the model info."""
        return asdict(self)


def _of_network(accuracies: Mapping[str, float]) -> float:
    """Return the best accuracy with a part of the tuned weights at least."""
    return max(accuracy for alpha, accuracy in accuracies.items() if float(alpha))


def shown(score: Score) -> str:
    """Return an accuracy with its standard error."""
    return f"accuracy {score.accuracy:.4f} ± {score.standard_error:.4f}"
