"""Two results on the same images: accuracies, McNemar's test, and the images on which one of them is right alone."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from image_classifier.contract.errors import UserError
from image_classifier.evaluation import paired
from image_classifier.evaluation.evidence import Evidence, Split
from image_classifier.evaluation.paired import Paired
from image_classifier.evaluation.statistics import Proportion


@dataclass(frozen=True)
class Comparison:
    """A later result compared with an earlier one."""

    first: Proportion
    """Accuracy of the earlier result, by the labels of the later one."""
    second: Proportion
    counts: Paired
    better: tuple[tuple[int, int], ...]
    """Rows in the judged split of the first and of the second result: right in the second alone."""
    worse: tuple[tuple[int, int], ...]
    """Right in the first alone."""
    relabelled: int
    """Images whose labels differ between both; those of the second count."""


def compare(first: Evidence, second: Evidence) -> Comparison:
    """Compare two results.

    Raises:
        UserError: They were judged on different images.
    """
    rows = _matched(first.judged, second.judged)
    names_first, names_second = np.array(first.class_names, object), np.array(second.class_names, object)
    labels = names_second[second.judged.labels[rows[:, 1]]]
    right_first = names_first[first.judged.predicted[rows[:, 0]]] == labels
    right_second = names_second[second.judged.predicted[rows[:, 1]]] == labels
    return Comparison(
        first=Proportion(int(right_first.sum()), len(rows)),
        second=Proportion(int(right_second.sum()), len(rows)),
        counts=paired.count(right_first, right_second),
        better=_pairs(rows[right_second & ~right_first]),
        worse=_pairs(rows[right_first & ~right_second]),
        relabelled=int((names_first[first.judged.labels[rows[:, 0]]] != labels).sum()),
    )


def _matched(first: Split, second: Split) -> NDArray[np.int64]:
    """Return the rows (n, 2) of the same images.

    Files are the same by their path, or where labels moved files to other class folders by the path below them.
    """
    for keys in (lambda split: split.files, _below_class):
        one, other = keys(first), keys(second)
        row_of = {key: row for row, key in enumerate(one)}
        if len(row_of) == len(one) == len(other) and set(other) == set(row_of):
            return np.array([(row_of[key], row) for row, key in enumerate(other)], np.int64).reshape(-1, 2)
    same = len(set(first.files) & set(second.files))
    raise UserError(
        f"The results were judged on different images: {len(first):,} {first.name} images of one and {len(second):,} "
        f"{second.name} images of the other, of which {same:,} have the same name. Compare jobs with the same "
        "validation or test folder, or with the same training folder and random_seed."
    )


def _below_class(split: Split) -> Sequence[str]:
    return [file.partition("/")[2] for file in split.files]


def _pairs(rows: NDArray[np.int64]) -> tuple[tuple[int, int], ...]:
    return tuple((int(first), int(second)) for first, second in rows)
