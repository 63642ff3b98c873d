"""What the facts of a health check mean with the present labels: one sentence each, its images, and a safe remedy."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

from image_classifier.console.datasets import copy_findings
from image_classifier.console.datasets.contents import Contents
from image_classifier.console.datasets.finding import Finding, Judged, Severity
from image_classifier.console.datasets.health import Facts
from image_classifier.console.datasets.known import TRAINING
from image_classifier.console.datasets.labels import Overlay
from image_classifier.console.datasets.selections import Counts
from image_classifier.contract.names import listed, on_one_line
from image_classifier.evaluation.wording import counted

FEW_IMAGES = 10
"""Of a class in training, below which a fifth that is held out says little: two images or less."""
IMBALANCE = 10.0
"""Largest by smallest class, from which class weights are worth trying."""
_NAMES_SHOWN = 5


def judge(facts: Facts, contents: Contents, overlay: Overlay, counts: Counts) -> list[Finding]:
    """Return the findings, those that matter most first."""
    judged = Judged(facts, contents, overlay, counts)
    found = [finding for find in _CHECKS for finding in find(judged)]
    order = list(Severity)
    return sorted(found, key=lambda finding: order.index(finding.severity))


def _rules(judged: Judged) -> Iterator[Finding]:
    # An overlay makes a view of its own, in which excluded and moved images follow the labels.
    if judged.facts.rules and not judged.overlay.labels:
        yield Finding(
            "rules",
            Severity.BAD,
            "Training would not start",
            "The folders as they are would be rejected before the first image is read.",
            lines=judged.facts.rules,
        )


def _unlabelled(judged: Judged) -> Iterator[Finding]:
    if count := judged.counts.unlabelled:
        yield Finding(
            "unlabelled",
            Severity.WARN,
            "Images without a class",
            f"{counted(count, 'image')} {_verb(count, 'lies', 'lie')} in no class folder, so training leaves "
            f"{_verb(count, 'it', 'them')} out. Select and move {_verb(count, 'it', 'them')} to a class.",
        )


def _unreadable(judged: Judged) -> Iterator[Finding]:
    images = judged.present(tuple(judged.facts.unreadable))
    if images:
        yield Finding(
            "unreadable",
            Severity.BAD,
            "Unreadable files",
            f"{counted(len(images), 'image')} cannot be decoded.",
            images,
            excluded=images,
            remedy=f"Exclude {_verb(len(images), 'it', f'all {len(images):,}')}",
        )


def _classes(judged: Judged) -> Iterator[Finding]:
    trained = {name: by_channel.get(TRAINING, 0) for name, by_channel in judged.counts.by_class.items()}
    filled = {name: count for name, count in trained.items() if count > 0}
    if len(filled) < 2:
        sentence = f"{len(filled)} {_verb(len(filled), 'class has', 'classes have')} training images."
        yield Finding("classes", Severity.BAD, "A classifier needs two classes", sentence)
        return
    few = sorted((count, name) for name, count in filled.items() if count < FEW_IMAGES)
    if few:
        names = listed([f"{_isolated(name)} ({count})" for count, name in few], _NAMES_SHOWN)
        yield Finding(
            "few",
            Severity.WARN,
            "Classes with few images",
            f"Fewer than {FEW_IMAGES} training images: {names}.",
        )
    least, most = min(filled, key=filled.__getitem__), max(filled, key=filled.__getitem__)
    if filled[most] >= IMBALANCE * filled[least]:
        yield Finding(
            "imbalance",
            Severity.WARN,
            "Classes of very different size",
            f"{_isolated(most)} has {filled[most]:,} training images, {_isolated(least)} {filled[least]:,}. Class "
            "weights, or more images of the small classes, help.",
        )


def _sizes(judged: Judged) -> Iterator[Finding]:
    for key, found, title, meaning in (
        ("tiny", judged.facts.tiny, "Tiny images", "They hold too few pixels for a network that sees 224."),
        ("oblong", judged.facts.oblong, "Very long or tall images", "Squeezed into a square, their shapes change."),
    ):
        if images := judged.present(tuple(found)):
            shown = listed([f"{width} x {height}" for width, height in _sizes_of(found, images)], _NAMES_SHOWN)
            yield Finding(
                key,
                Severity.NOTE,
                title,
                f"{counted(len(images), 'image')}, of {shown} pixels. {meaning}",
                images,
                excluded=images if key == "tiny" else (),
                remedy=f"Exclude {_verb(len(images), 'it', f'all {len(images):,}')}" if key == "tiny" else "",
            )
    if blank := judged.present(judged.facts.blank):
        yield Finding(
            "blank",
            Severity.NOTE,
            "Images of one colour",
            f"{counted(len(blank), 'image')} {_verb(len(blank), 'shows', 'show')} nothing.",
            blank,
            excluded=blank,
            remedy=f"Exclude {_verb(len(blank), 'it', f'all {len(blank):,}')}",
        )


def _sizes_of(found: Mapping[str, tuple[int, int]], images: Sequence[str]) -> list[tuple[int, int]]:
    counted = Counter(tuple(found[image]) for image in images)
    return [(size[0], size[1]) for size, _ in counted.most_common()]


def _unused(judged: Judged) -> Iterator[Finding]:
    if judged.facts.notes:
        yield Finding(
            "unused",
            Severity.NOTE,
            "Files that are not used",
            "Training says about them:",
            lines=judged.facts.notes,
        )


_CHECKS: tuple[Callable[[Judged], Iterator[Finding]], ...] = (
    *(_rules, _classes, _unreadable, copy_findings.leaks, copy_findings.contradictions),
    *(_unlabelled, copy_findings.duplicates, _sizes, _unused),
)


def _isolated(name: str) -> str:
    """Return a name that does not turn the direction of the text behind it (Unicode's isolates, UAX 9)."""
    shown = on_one_line(name)
    return shown if shown.isascii() else f"\u2068{shown}\u2069"


def _verb(count: int, one: str, many: str) -> str:
    return one if count == 1 else many
