"""The verdict on drift in sentences: whether production is different, in what, and the first thing to do."""

from collections.abc import Iterable
from dataclasses import dataclass

from image_classifier.evaluation import wording
from image_classifier.evaluation.drift.comparison import EMBEDDING, EVERYTHING, Check, Comparison
from image_classifier.evaluation.drift.profile import CONFIDENCE, FORMAT, PREDICTED_LABEL

_NOUNS = {
    "bytes": "file size",
    "aspect_ratio": "aspect ratio",
    FORMAT: "file format",
    PREDICTED_LABEL: "mix of predicted classes",
    EMBEDDING: "image content (embeddings)",
}
_LIGHT = frozenset({"brightness", "contrast", "sharpness", "colourfulness"})
_FILES = frozenset({"width", "height", "aspect_ratio", "bytes", FORMAT})
_NAMED = 3
_CAPTURE_MORE = "Capture more requests, or take a longer period."
_CAPTURE_BOTH = "Check that both requests and responses are captured, and that the images can be decoded."


@dataclass(frozen=True)
class DriftVerdict:
    """Three sentences, and how serious they are."""

    level: str
    """`good`, `warn` for too few images, or `bad`."""
    finding: str
    measured: str
    first_step: str

    @property
    def text(self) -> str:
        """All sentences."""
        return " ".join(one for one in (self.finding, self.measured, self.first_step) if one)


def noun(feature: str) -> str:
    """Return a feature's name for a sentence."""
    return _NOUNS.get(feature, feature)


def conclude(comparison: Comparison) -> DriftVerdict:
    """Return the verdict on a comparison."""
    if not comparison.is_conclusive:
        unknown = "It is unknown whether production is different."
        if EVERYTHING in comparison.left_out:
            return DriftVerdict("warn", unknown, f"{comparison.left_out[EVERYTHING]}.", _CAPTURE_MORE)
        measured = f"None of {wording.counted(comparison.images, 'image')} has a feature to compare."
        return DriftVerdict("warn", unknown, measured, _CAPTURE_BOTH)
    features, images = len(comparison.checks), wording.counted(comparison.images, "image")
    tests = (
        f"{wording.counted(features, 'feature')} of {images} {'was' if features == 1 else 'were'} compared with those "
        f"of {comparison.baseline_images:,} in the baseline."
    )
    drifted = comparison.drifted
    if not drifted:
        return DriftVerdict("good", "Production looks like the training data.", tests, "")
    finding = f"Production differs from the training data in {_listed(drifted)}."
    return DriftVerdict("bad", finding, tests, _first_step({check.feature for check in drifted}))


def _listed(drifted: Iterable[Check]) -> str:
    named = [f"{noun(check.feature)} ({check.detail})" for check in drifted]
    further = [f"{len(named) - _NAMED} more"] if len(named) > _NAMED else []
    parts = named[:_NAMED] + further
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _first_step(features: set[str]) -> str:
    if features & _LIGHT:
        return "Look at recent images first: light, exposure or lens may have changed."
    if features & _FILES:
        return "Check first whether a client resizes, crops or re-encodes its images differently."
    if EMBEDDING in features or CONFIDENCE in features:
        return "Label a hundred recent images and run scripts/evaluate with them before trusting the answers."
    return "Check first whether this mix of classes is expected; if it is, the model needs no change."
