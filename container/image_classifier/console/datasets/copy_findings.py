"""Findings about copies of images: leaks into another channel, labels that contradict each other, duplicates."""

from collections.abc import Callable, Iterator, Sequence

from image_classifier.console.datasets.finding import Finding, Judged, Severity
from image_classifier.console.datasets.known import TRAINING
from image_classifier.evaluation.wording import counted


def leaks(judged: Judged) -> Iterator[Finding]:
    """Find images that are in training and in another channel."""
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


def contradictions(judged: Judged) -> Iterator[Finding]:
    """Find images of which copies have different classes."""
    groups = _groups(judged, lambda images: len({judged.class_of(image) for image in images}) > 1)
    if groups:
        yield _of_groups(
            "contradictions",
            Severity.BAD,
            "The same image with two labels",
            groups,
            "At most one of the labels is right. Look at them and move or exclude the others.",
        )


def duplicates(judged: Judged) -> Iterator[Finding]:
    """Find copies within one channel and one class: of equal pixels, then of similar ones."""
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


def _is_plain(judged: Judged, images: Sequence[str]) -> bool:
    """Return whether copies are of one channel and one class; others are a leak or a contradiction."""
    return len({(_channel(image), judged.class_of(image)) for image in images}) == 1


def _groups(
    judged: Judged, matches: Callable[[Sequence[str]], bool], exact: bool | None = None
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
    copies = f"{counted(len(groups), 'image')} in {len(images):,} files. {meaning}"
    return Finding(key, severity, title, copies, images, groups, excluded, remedy)


def _channel(image: str) -> str:
    return image.split("/", 1)[0]
