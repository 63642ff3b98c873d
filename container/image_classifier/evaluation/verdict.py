"""The verdict: how good, measured on what and compared with what, and the first thing to do. Rules, no scores."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from image_classifier.contract import names
from image_classifier.evaluation import wording
from image_classifier.evaluation.duplicates import Group
from image_classifier.evaluation.judgement import Evaluation
from image_classifier.evaluation.wording import counted, percent, quoted

_SPLITS = ("training", "validation", "test")
FEW_IMAGES = 100
"""Judged images below which an accuracy is known to 10 points at best (Wilson interval at 80 %)."""
LEAKS = 0.02
"""Share of leaked images from which the score is not trusted."""
RELIABLE, ASSISTING = 0.95, 0.8
"""Lower ends of the interval from which a model is called reliable, and good enough to assist."""
FAILED_CLASS = 0.5
"""Recall below which a class counts as not recognised."""
CLASS_IMAGES = 10
"""Judged images of a class below which nothing is concluded about it."""
MANY_LABELS = 5
"""Labels to check from which they come before the mistakes."""


class Level(StrEnum):
    """How the verdict is marked."""

    GOOD = "good"
    CAUTION = "warn"
    BAD = "bad"


@dataclass(frozen=True)
class Verdict:
    """Three sentences."""

    level: Level
    how_good: str
    measured: str
    """On what, with interval, and compared with what."""
    first_step: str
    section: str
    """The report's section that the first step is about, such as `labels`."""

    @property
    def text(self) -> str:
        """All three sentences, for a terminal or a log."""
        return f"{self.how_good} {self.measured} {self.first_step}"


def conclude(evaluation: Evaluation) -> Verdict:
    """Return the verdict on an evaluation."""
    level, how_good = _how_good(evaluation)
    section, first_step = next(_first_steps(evaluation))
    return Verdict(level, how_good, _measured(evaluation), first_step, section)


def _how_good(evaluation: Evaluation) -> tuple[Level, str]:
    score = evaluation.score
    accuracy, baseline = score.accuracy, score.baseline.value
    low, high = accuracy.interval.low, accuracy.interval.high
    constant = f"always answering {quoted(score.baseline_class)}"
    if not accuracy.total:
        return Level.BAD, "Not measured."
    if high < baseline:
        return Level.BAD, f"Worse than {constant}."
    if low <= baseline:
        return Level.BAD, f"Not shown to be better than {constant}."
    leaks = len(_leaked(evaluation))
    if leaks >= LEAKS * accuracy.total:
        some = "all" if leaks == accuracy.total else "some"
        return Level.BAD, f"Not fairly measured: {some} of the judged images are in another split too."
    if accuracy.total < FEW_IMAGES:
        return Level.CAUTION, "Promising, but judged on too few images to rely on."
    failed = [one for one in score.classes if one.recall.total >= CLASS_IMAGES and one.recall.value < FAILED_CLASS]
    if failed and low >= ASSISTING:
        others = f" and {counted(len(failed) - 1, 'other class', 'other classes')}" if len(failed) > 1 else ""
        worst = min(failed, key=lambda one: one.recall.value)
        return Level.CAUTION, f"Good overall, but it misses most images of {quoted(worst.name)}{others}."
    if low >= RELIABLE:
        return Level.GOOD, "Reliable on images like these."
    if low >= ASSISTING:
        return Level.CAUTION, "Good enough to assist, not to decide alone."
    return Level.CAUTION, "Better than always answering one class, but too often wrong to act on without a check."


def _measured(evaluation: Evaluation) -> str:
    score = evaluation.score
    if not score.accuracy.total:
        return f"The {score.split} data hold no image."
    right = f"{percent(score.accuracy.value)} of {_images(score.accuracy.total, score.split)}"
    verb = "is" if score.accuracy.total == 1 else "are"
    difference = score.accuracy.value - score.baseline.value
    constant = f"always answering {quoted(score.baseline_class)}"
    compared = f"{wording.points(difference, 'percentage points')} {'above' if difference > 0 else 'below'} {constant}"
    if not difference:
        compared = f"as many as by {constant}"
    return f"{right} {verb} right (95 % interval {wording.interval(score.accuracy.interval)}), {compared}."


def _images(count: int, split: str) -> str:
    """Return a number of images of a split, or of a folder that scripts/evaluate judges, which may have any name."""
    if split in _SPLITS:
        return counted(count, f"{split} image")
    return f"{counted(count, 'image')} of {names.on_one_line(split)}"


def _first_steps(evaluation: Evaluation) -> Iterator[tuple[str, str]]:
    """Yield sections and what to do, the most urgent first; the last applies always.

    A model that is not better than a constant says nothing against a label.
    """
    score = evaluation.score
    leaks, few_leaks = _about_leaks(evaluation), len(_leaked(evaluation)) < LEAKS * score.accuracy.total
    yield from () if few_leaks else leaks
    yield from _about_contradictions(evaluation)
    yield from _about_labels(evaluation) if score.accuracy.interval.low > score.baseline.value else ()
    yield from leaks if few_leaks else ()
    if score.accuracy.total < FEW_IMAGES:
        needed = f"it takes at least {FEW_IMAGES} to tell whether the model is good enough"
        yield "score", f"First set aside more labelled images: {needed}."
    yield from _about_mistakes(evaluation)
    yield "score", "First try it on images of another day, place or camera, since these left no mistake to learn from."


def _about_leaks(evaluation: Evaluation) -> Iterator[tuple[str, str]]:
    leaked, found = _leaked(evaluation), evaluation.duplicates
    if not found or not leaked:
        return
    if len(leaked) == evaluation.score.accuracy.total:
        yield "duplicates", "First give other images to judge it by: another split holds all of these."
        return
    images = f"{_images(len(leaked), evaluation.score.split)} that another split also holds"
    them = "it" if len(leaked) == 1 else "them"
    without = f": without {them} {percent(found.accuracy_without.value)} are right" if found.accuracy_without else ""
    yield "duplicates", f"First remove the {images}{without}."


def _about_contradictions(evaluation: Evaluation) -> Iterator[tuple[str, str]]:
    found = evaluation.duplicates
    contradictions: list[Group] = [group for group in found.groups if group.contradicts] if found else []
    if contradictions:
        count = len(contradictions)
        several = "image that occurs" if count == 1 else f"{count:,} images that occur"
        yield "duplicates", f"First decide which label is right for the {several} more than once with different labels."


def _about_labels(evaluation: Evaluation) -> Iterator[tuple[str, str]]:
    issues = evaluation.label_issues or ()
    mistakes = evaluation.score.accuracy.total - evaluation.score.accuracy.count
    if len(issues) >= MANY_LABELS or (issues and not mistakes):
        yield "labels", f"First check the {counted(len(issues), 'label')} that confident predictions contradict."


def _about_mistakes(evaluation: Evaluation) -> Iterator[tuple[str, str]]:
    score, confusions = evaluation.score, evaluation.mistakes.confusions
    mistakes = score.accuracy.total - score.accuracy.count
    if not confusions:
        return
    worst = confusions[0]
    label, predicted = (quoted(evaluation.evidence.class_names[index]) for index in (worst.label, worst.predicted))
    if len(worst.rows) >= 2 and len(worst.rows) >= mistakes / 5:
        images = f"{counted(len(worst.rows), 'image')} of {label} that it calls {predicted}"
        yield "mistakes", f"First look at the {images}: they are {len(worst.rows)} of its {mistakes:,} mistakes."
    weakest = score.weakest
    if weakest.recall.total and weakest.recall.count < weakest.recall.total:
        known = f"it recognises {weakest.recall.count:,} of {weakest.recall.total:,}"
        yield "mistakes", f"First add training images of {quoted(weakest.name)}, its weakest class: {known}."
    yield "mistakes", f"First look at its {counted(mistakes, 'mistake')}."


def _leaked(evaluation: Evaluation) -> tuple[int, ...]:
    return evaluation.duplicates.leaked if evaluation.duplicates else ()
