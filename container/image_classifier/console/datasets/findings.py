"""What the facts of a health check mean with the present labels: one sentence each, its images, and a safe remedy."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from image_classifier.console.datasets.contents import Contents
from image_classifier.console.datasets.health import Facts
from image_classifier.console.datasets.known import TRAINING
from image_classifier.console.datasets.labels import Overlay
from image_classifier.console.datasets.selections import Counts
from image_classifier.contract.names import listed, on_one_line

FEW_IMAGES = 10
"""Of a class in training, below which a fifth that is held out says little: two images or less."""
IMBALANCE = 10.0
"""Largest by smallest class, from which class weights are worth trying."""
_NAMES_SHOWN = 5


class Severity(StrEnum):
    """How much a finding matters."""

    BAD = "bad"
    """Training fails, or its score is wrong."""
    WARN = "warn"
    """The model is probably worse for it."""
    NOTE = "note"


@dataclass(frozen=True)
class Finding:
    """One kind of problem."""

    id: str
    """Of addresses."""
    severity: Severity
    title: str
    sentence: str
    images: tuple[str, ...] = ()
    """In the order in which they are shown; copies of one image beside each other."""
    groups: tuple[tuple[str, ...], ...] = ()
    """The copies of each image."""
    excluded: tuple[str, ...] = ()
    """Images whose exclusion removes the problem; empty: no remedy is safe without looking."""
    remedy: str = ""
    """What the button says."""
    lines: tuple[str, ...] = ()
    """Further sentences."""


@dataclass(frozen=True)
class _Judged:
    facts: Facts
    contents: Contents
    overlay: Overlay
    counts: Counts

    def class_of(self, image: str) -> str | None:
        """Return the image's class; None if it is excluded or gone."""
        place = self.contents.find(image)
        return None if place is None else self.overlay.class_of(image, place[0].class_of(place[1]))

    def present(self, images: Sequence[str]) -> tuple[str, ...]:
        return tuple(image for image in images if self.class_of(image) is not None)


def judge(facts: Facts, contents: Contents, overlay: Overlay, counts: Counts) -> list[Finding]:
    """Return the findings, those that matter most first."""
    judged = _Judged(facts, contents, overlay, counts)
    found = [finding for find in _CHECKS for finding in find(judged)]
    order = list(Severity)
    return sorted(found, key=lambda finding: order.index(finding.severity))


def _rules(judged: _Judged) -> Iterator[Finding]:
    # An overlay makes a view of its own, in which excluded and moved images follow the labels.
    if judged.facts.rules and not judged.overlay.labels:
        yield Finding(
            "rules",
            Severity.BAD,
            "Training would not start",
            "The folders as they are would be rejected before the first image is read.",
            lines=judged.facts.rules,
        )


def _unlabelled(judged: _Judged) -> Iterator[Finding]:
    if count := judged.counts.unlabelled:
        yield Finding(
            "unlabelled",
            Severity.WARN,
            "Images without a class",
            f"{_images(count)} {_verb(count, 'lies', 'lie')} in no class folder, so training leaves "
            f"{_verb(count, 'it', 'them')} out. Select and move {_verb(count, 'it', 'them')} to a class.",
        )


def _unreadable(judged: _Judged) -> Iterator[Finding]:
    images = judged.present(tuple(judged.facts.unreadable))
    if images:
        yield Finding(
            "unreadable",
            Severity.BAD,
            "Unreadable files",
            f"{_images(len(images))} cannot be decoded.",
            images,
            excluded=images,
            remedy=f"Exclude {_verb(len(images), 'it', f'all {len(images):,}')}",
        )


def _leaks(judged: _Judged) -> Iterator[Finding]:
    groups = _groups(judged, lambda images: len({_channel(image) for image in images}) > 1)
    if not groups:
        return
    trained = tuple(image for group in groups for image in group if _channel(image) == TRAINING)
    yield _of_groups(
        "leaks",
        Severity.BAD,
        "The same image in two channels",
        groups,
        "The score would count images that the model was trained on.",
        excluded=trained,
        remedy="Exclude the training copies",
    )


def _contradictions(judged: _Judged) -> Iterator[Finding]:
    groups = _groups(judged, lambda images: len({judged.class_of(image) for image in images}) > 1)
    if groups:
        yield _of_groups(
            "contradictions",
            Severity.BAD,
            "The same image with two labels",
            groups,
            "At most one of the labels is right. Look at them and move or exclude the others.",
        )


def _duplicates(judged: _Judged) -> Iterator[Finding]:
    for exact, key, title in ((True, "duplicates", "Exact duplicates"), (False, "near-duplicates", "Near duplicates")):
        groups = _groups(judged, lambda images: _is_plain(judged, images), exact)
        if groups:
            yield _of_groups(
                key,
                Severity.WARN if exact else Severity.NOTE,
                title,
                groups,
                "Copies count several times in training and in the score."
                if exact
                else "They were encoded again, resized or slightly cropped.",
                excluded=tuple(image for group in groups for image in group[1:]),
                remedy="Keep one of each",
            )


def _is_plain(judged: _Judged, images: Sequence[str]) -> bool:
    """Return whether copies are of one channel and one class; others are a leak or a contradiction."""
    return len({(_channel(image), judged.class_of(image)) for image in images}) == 1


def _classes(judged: _Judged) -> Iterator[Finding]:
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


def _sizes(judged: _Judged) -> Iterator[Finding]:
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
                f"{_images(len(images))}, of {shown} pixels. {meaning}",
                images,
                excluded=images if key == "tiny" else (),
                remedy=f"Exclude {_verb(len(images), 'it', f'all {len(images):,}')}" if key == "tiny" else "",
            )
    if blank := judged.present(judged.facts.blank):
        yield Finding(
            "blank",
            Severity.NOTE,
            "Images of one colour",
            f"{_images(len(blank))} {_verb(len(blank), 'shows', 'show')} nothing.",
            blank,
            excluded=blank,
            remedy=f"Exclude {_verb(len(blank), 'it', f'all {len(blank):,}')}",
        )


def _sizes_of(found: Mapping[str, tuple[int, int]], images: Sequence[str]) -> list[tuple[int, int]]:
    counted = Counter(tuple(found[image]) for image in images)
    return [(size[0], size[1]) for size, _ in counted.most_common()]


def _unused(judged: _Judged) -> Iterator[Finding]:
    if judged.facts.notes:
        yield Finding(
            "unused",
            Severity.NOTE,
            "Files that are not used",
            "Training says about them:",
            lines=judged.facts.notes,
        )


_CHECKS: tuple[Callable[[_Judged], Iterator[Finding]], ...] = (
    *(_rules, _classes, _unreadable, _leaks, _contradictions, _unlabelled, _duplicates, _sizes, _unused),
)


def _groups(
    judged: _Judged, matches: Callable[[Sequence[str]], bool], exact: bool | None = None
) -> tuple[tuple[str, ...], ...]:
    """Return the present images of groups; `exact`: of those with equal pixels, or of the others alone."""
    chosen = [group for group in judged.facts.groups if exact is None or group.exact is exact]
    present = (judged.present(group.images) for group in chosen)
    return tuple(images for images in present if len(images) > 1 and matches(images))


def _of_groups(
    key: str,
    severity: Severity,
    title: str,
    groups: tuple[tuple[str, ...], ...],
    meaning: str,
    excluded: tuple[str, ...] = (),
    remedy: str = "",
) -> Finding:
    images = tuple(image for group in groups for image in group)
    copies = f"{_images(len(groups))} in {len(images):,} files. {meaning}"
    return Finding(key, severity, title, copies, images, groups, excluded, remedy)


def _isolated(name: str) -> str:
    """Return a name that does not turn the direction of the text behind it (Unicode's isolates, UAX 9)."""
    shown = on_one_line(name)
    return shown if shown.isascii() else f"\u2068{shown}\u2069"


def _channel(image: str) -> str:
    return image.split("/", 1)[0]


def _images(count: int) -> str:
    return f"{count:,} {'image' if count == 1 else 'images'}"


def _verb(count: int, one: str, many: str) -> str:
    return one if count == 1 else many
