"""Comparison of two results on the same images."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from image_classifier.console.judging import comparison
from image_classifier.contract.errors import UserError
from image_classifier.evaluation.evidence import Evidence, Split


def evidence(files: tuple[str, ...], labels: list[int], predicted: list[int], names: tuple[str, ...]) -> Evidence:
    """Return evidence of certain answers."""
    probabilities = np.eye(len(names), dtype=np.float32)[predicted]
    return Evidence(names, Split("validation", Path("v"), files, np.array(labels, np.int64), probabilities))


FILES = ("a/1.png", "a/2.png", "b/3.png", "b/4.png")
FIRST = evidence(FILES, [0, 0, 1, 1], [0, 1, 1, 0], ("a", "b"))


def test_images_are_matched_in_any_order() -> None:
    """Given the same files in another order, and classes in another order -> matched by name."""
    second = evidence(FILES[::-1], [0, 0, 1, 1], [0, 0, 1, 0], ("b", "a"))
    found = comparison.compare(FIRST, second)
    assert (found.first.count, found.second.count, found.first.total) == (2, 3, 4)
    # 2.png and 4.png become right or wrong; rows are those of each result.
    assert found.better == ((3, 0), (1, 2))
    assert found.worse == ((0, 3),)
    assert found.relabelled == 0


def test_moved_labels_count_as_the_later_result_has_them() -> None:
    """Given an image in another class folder -> the same image, and both are judged by the later label."""
    moved = ("a/1.png", "b/2.png", "b/3.png", "b/4.png")
    second = evidence(moved, [0, 1, 1, 1], [0, 1, 1, 1], ("a", "b"))
    found = comparison.compare(FIRST, second)
    assert found.relabelled == 1
    assert (found.first.count, found.second.count) == (3, 4)
    assert found.better == ((3, 3),)


def test_different_images_are_rejected() -> None:
    """Given another image -> a sentence with the numbers."""
    other = replace(FIRST, judged=replace(FIRST.judged, files=(*FILES[:3], "b/5.png")))
    with pytest.raises(UserError, match=r"4 validation images of one and 4 .* of which 3 have the same name"):
        comparison.compare(FIRST, other)
