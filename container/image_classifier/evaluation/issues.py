"""`issues.csv`: every image that is worth a look, one row for each reason."""

import csv
import io
import math
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from image_classifier import durable_files, own_files
from image_classifier.contract import csv_cells, report_files
from image_classifier.evaluation.duplicates import Group, Member
from image_classifier.evaluation.duplicates import Kind as Likeness
from image_classifier.evaluation.evidence import Split, from_parent
from image_classifier.evaluation.judgement import Evaluation
from image_classifier.evaluation.traits import Traits

HEADER = ("file", "kind", "score", "suggestion")
OUTLIER = 3.5
"""Modified z-score from which a value is an outlier (Iglewicz and Hoaglin, How to detect and handle outliers, 1993)."""
DARK, BRIGHT = 0.2, 0.85
"""Bounds of brightness: an outlier beyond them is dark or bright."""
BLURRED = 0.2
"""Share of the median sharpness below which an outlier is blurred."""
UNFAMILIAR = 6.0
"""The same of the raw familiarity score, whose distribution has a longer tail."""
_HASH_BITS = 64


@dataclass(frozen=True)
class Issue:
    """One reason to look at one image."""

    file: str
    """Below the folder that holds the splits: `training/cat/1.jpg`."""
    kind: str
    """label, leak, contradiction, duplicate, blur, dark, bright, unfamiliar or unreadable."""
    score: float
    """How sure or how severe, [0, 1]."""
    suggestion: str


def file_name(split: Split, row: int) -> str:
    """Return the path of an image from the folder that holds its split's folder."""
    return from_parent(split.folder, split.files[row])


def collect(evaluation: Evaluation) -> list[Issue]:
    """Return all issues: labels, leaks and duplicates, blurred, dark and bright, unfamiliar and unreadable images."""
    return [
        *_labels(evaluation),
        *_duplicates(evaluation),
        *(issue for split in evaluation.evidence.splits for issue in _traits(evaluation, split)),
        *_unfamiliar(evaluation),
        *(Issue(name, "unreadable", 1.0, f"replace or remove: {why}") for name, why in evaluation.evidence.skipped),
    ]


def write(folder: Path, issues: Sequence[Issue]) -> None:
    """Write `issues.csv`, durably.

    Raises:
        OSError: The disk is full or not writable.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    for one in issues:
        writer.writerow(map(csv_cells.cell, (one.file, one.kind, f"{one.score:.4f}", one.suggestion)))
    own_files.remove_link(folder / report_files.ISSUES)
    durable_files.write_bytes(folder / report_files.ISSUES, text.getvalue().encode())


def _labels(evaluation: Evaluation) -> Iterator[Issue]:
    names = evaluation.evidence.class_names
    for issue in evaluation.label_issues or ():
        if split := evaluation.evidence.split(issue.split):
            suggestion = f"check the label {names[issue.given]}; the model says {names[issue.suggested]}"
            yield Issue(file_name(split, issue.row), "label", 1 - issue.score, suggestion)


def _duplicates(evaluation: Evaluation) -> Iterator[Issue]:
    for group in evaluation.duplicates.groups if evaluation.duplicates else ():
        kind = "leak" if group.is_leak else "contradiction" if group.contradicts else "duplicate"
        first, *copies = group.members
        original = _file_of(evaluation, first)
        same = "equal to" if group.kind is Likeness.EXACT else "nearly equal to"
        action = "decide on one label" if group.contradicts else "keep one of them"
        for member in copies:
            likeness = _likeness(evaluation, group, first, member)
            yield Issue(_file_of(evaluation, member), kind, likeness, f"{same} {original}: {action}")


def _file_of(evaluation: Evaluation, member: Member) -> str:
    split = evaluation.evidence.split(member.split)
    return file_name(split, member.row) if split else member.split


def _likeness(evaluation: Evaluation, group: Group, one: Member, other: Member) -> float:
    """Return 1 for equal pixels, else the share of equal bits of the perceptual hashes."""
    found = [evaluation.traits[each.split][each.row] for each in (one, other) if each.split in evaluation.traits]
    hashes = [traits.perceptual_hash for traits in found if traits]
    if group.kind is Likeness.EXACT or len(hashes) < 2:
        return 1.0
    return 1 - (hashes[0] ^ hashes[1]).bit_count() / _HASH_BITS


def _traits(evaluation: Evaluation, split: Split) -> Iterator[Issue]:
    traits = evaluation.traits.get(split.name, ())
    known = [(row, found) for row, found in enumerate(traits) if found]
    if not known:
        return
    low, high = _bounds([found.brightness for _, found in known])
    unsharp, _ = _bounds([_log(found.sharpness) for _, found in known])
    median = statistics.median(found.sharpness for _, found in known)
    checks: tuple[tuple[str, Callable[[Traits], float | None], str], ...] = (
        ("blur", lambda it: _blur(it, unsharp, median), "blurred: take it again or leave it out"),
        ("dark", lambda it: _beyond(it.brightness < min(low, DARK), 1 - it.brightness), "dark: check the exposure"),
        ("bright", lambda it: _beyond(it.brightness > max(high, BRIGHT), it.brightness), "bright: check the exposure"),
    )
    for row, found in known:
        for kind, check, suggestion in checks:
            if (score := check(found)) is not None:
                yield Issue(file_name(split, row), kind, score, suggestion)


def _blur(found: Traits, unsharp: float, median: float) -> float | None:
    # Where most images are of one colour the median is 0, and no image is less sharp.
    if not (_log(found.sharpness) < unsharp and found.sharpness < BLURRED * median):
        return None
    return 1 - found.sharpness / median


def _beyond(is_so: bool, score: float) -> float | None:
    return score if is_so else None


def _log(value: float) -> float:
    return math.log10(max(value, 1e-9))


def _bounds(values: Sequence[float], outlier: float = OUTLIER) -> tuple[float, float]:
    """Return the values beyond which one is an outlier among these."""
    median = statistics.median(values)
    deviation = statistics.median(abs(value - median) for value in values)
    spread = outlier * deviation / 0.6745
    return median - spread, median + spread


def _unfamiliar(evaluation: Evaluation) -> Iterator[Issue]:
    """Yield outliers of the raw score: of the familiarity, a rank, some images have the lowest in any data."""
    model, split, scores = evaluation.familiarity_model, evaluation.evidence.judged, evaluation.familiarity
    if model is None or split.features is None or scores is None:
        return
    raw = model.raw(split.features)
    _, highest = _bounds(raw.tolist(), UNFAMILIAR)
    for row in (-raw).argsort(kind="stable"):
        if raw[row] <= highest:
            return
        suggestion = "unlike the training images: does it belong to any class?"
        yield Issue(file_name(split, int(row)), "unfamiliar", float(1 - scores[row]), suggestion)
