"""Slices: groups of images, by their traits, on which the model is significantly worse or better than on the rest."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from image_classifier.evaluation.evidence import Split
from image_classifier.evaluation.exact_test import difference_p_value
from image_classifier.evaluation.statistics import Proportion, discoveries
from image_classifier.evaluation.traits import Traits

LEAST_IMAGES = 30
"""Images in a slice, and outside of it."""
DISCOVERY_RATE = 0.01
"""Of the procedure of Benjamini and Hochberg: of 100 reports on images without any slice, at most one shows one.

In 150 draws without a slice there was no false alarm, and with a rate of 0.05 there were four. Of 600 images with an
accuracy of 0.9, a quarter with 0.7 is found in 20 of 20 draws, and one with 0.8 in 7.
"""


@dataclass(frozen=True)
class Slice:
    """A group of images with another accuracy than the rest."""

    trait: str
    """One of the names of `MEASURES`, `format` or `sub-folder`."""
    description: str
    """Such as "dark images (brightness below 0.21)"; one line, for a sentence."""
    accuracy: Proportion
    rest: Proportion
    """Accuracy of all other images of the split."""
    p_value: float
    """Fisher's exact test, two-sided, before the correction."""
    rows: tuple[int, ...]


@dataclass(frozen=True)
class _Measure:
    """A trait whose quarters are candidates."""

    of: Callable[[Traits], float]
    low: str
    """What images of the lowest quarter are."""
    high: str
    quantity: str
    """What is stated in a description."""
    shown: str = "{:.2f}"


MEASURES = {
    "brightness": _Measure(lambda one: one.brightness, "dark images", "bright images", "brightness"),
    "contrast": _Measure(lambda one: one.contrast, "images of low contrast", "images of high contrast", "contrast"),
    "sharpness": _Measure(lambda one: one.sharpness, "blurred images", "sharp images", "sharpness", "{:,.0f}"),
    "size": _Measure(lambda one: one.width * one.height / 1e6, "small images", "large images", "megapixels", "{:.3g}"),
    "aspect ratio": _Measure(lambda one: one.aspect_ratio, "tall images", "wide images", "width to height"),
}


@dataclass(frozen=True)
class _Candidate:
    trait: str
    description: str
    inside: NDArray[np.bool_]


def find(split: Split, traits: Sequence[Traits | None], limit: int = 12) -> tuple[Slice, ...]:
    """Find the slices of a split that has probabilities, the largest difference first.

    Candidates: quarters of brightness, contrast, sharpness, size and aspect ratio; formats; sub-folders of classes.
    Kept are those of at least `LEAST_IMAGES` images whose interval excludes the accuracy of the rest, and that the
    procedure of Benjamini and Hochberg accepts among all candidates at `DISCOVERY_RATE`. Images without traits belong
    to the rest.
    """
    right = split.predicted == split.labels
    tested = [_tested(candidate, right) for candidate in _candidates(split, traits)]
    accepted = discoveries([one.p_value for one in tested], DISCOVERY_RATE)
    kept = [one for one, is_accepted in zip(tested, accepted, strict=True) if is_accepted and _excludes_rest(one)]
    kept.sort(key=lambda one: (-abs(one.accuracy.value - one.rest.value), one.p_value))
    return tuple(kept[:limit])


def _candidates(split: Split, traits: Sequence[Traits | None]) -> Iterator[_Candidate]:
    for candidate in (*_quarters(traits), *_formats(traits), *_sub_folders(split.files)):
        if LEAST_IMAGES <= candidate.inside.sum() <= len(split) - LEAST_IMAGES:
            yield candidate


def _quarters(traits: Sequence[Traits | None]) -> Iterator[_Candidate]:
    known = np.array([one is not None for one in traits], bool)
    if not known.any():
        return
    for name, measure in MEASURES.items():
        values = np.array([np.nan if one is None else measure.of(one) for one in traits])
        # Values that many images share, such as one size, leave fewer edges, or none.
        edges = np.unique(np.quantile(values[known], [0.25, 0.5, 0.75]))
        edges = edges[edges > values[known].min()]
        if not len(edges):
            continue
        quarters = np.searchsorted(edges, values, side="right")
        for quarter in range(len(edges) + 1):
            yield _Candidate(name, _described(measure, edges, quarter), known & (quarters == quarter))


def _described(measure: _Measure, edges: NDArray[np.float64], quarter: int) -> str:
    bounds = [measure.shown.format(edge) for edge in edges]
    if quarter == 0:
        return f"{measure.low} ({measure.quantity} below {bounds[0]})"
    if quarter == len(edges):
        return f"{measure.high} ({measure.quantity} of {bounds[-1]} or more)"
    return f"images with {measure.quantity} from {bounds[quarter - 1]} to {bounds[quarter]}"


def _formats(traits: Sequence[Traits | None]) -> Iterator[_Candidate]:
    formats = np.array(["" if one is None else one.format for one in traits], np.str_)
    for name in sorted(set(formats.tolist()) - {""}):
        yield _Candidate("format", f"{name.upper()} files", formats == name)


def _sub_folders(files: Sequence[str]) -> Iterator[_Candidate]:
    """Yield folders below the class folders; those of equal names, such as one camera's, are one slice."""
    folders = np.array(["/".join(PurePosixPath(file).parts[1:-1]) for file in files], np.str_)
    for name in sorted(set(folders.tolist()) - {""}):
        yield _Candidate("sub-folder", f"images in the sub-folder {name}", folders == name)


def _tested(candidate: _Candidate, right: NDArray[np.bool_]) -> Slice:
    inside = candidate.inside
    accuracy = Proportion(int(right[inside].sum()), int(inside.sum()))
    rest = Proportion(int(right[~inside].sum()), int((~inside).sum()))
    rows = tuple(np.flatnonzero(inside).tolist())
    return Slice(candidate.trait, candidate.description, accuracy, rest, difference_p_value(accuracy, rest), rows)


def _excludes_rest(one: Slice) -> bool:
    interval = one.accuracy.interval
    return not interval.low <= one.rest.value <= interval.high
