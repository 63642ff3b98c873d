"""Cells of the confusion matrix: their images, and the matrix of many classes in parts."""

from dataclasses import dataclass

import numpy as np

from image_classifier.evaluation.judgement import Evaluation
from image_classifier.evaluation.report.sections import Cell

IMAGES, ROWS = 48, 40
"""Of a page."""


@dataclass(frozen=True)
class Part:
    """Some items of a list, as a page."""

    rows: tuple[int, ...]
    page: int
    """From 1."""
    pages: int
    total: int


@dataclass(frozen=True)
class MatrixRow:
    """The cells of a class that are not empty."""

    label: int
    total: int
    cells: dict[int, Cell]
    """By the class that was answered."""


def part(rows: tuple[int, ...], page: int, size: int) -> Part:
    """Return a page of a list; the nearest one there is."""
    pages = max(-(-len(rows) // size), 1)
    page = min(max(page, 1), pages)
    return Part(rows[(page - 1) * size : page * size], page, pages, len(rows))


def images(evaluation: Evaluation, label: int, answer: int) -> tuple[int, ...]:
    """Return the rows of the judged images of a cell, the most certain first."""
    judged = evaluation.evidence.judged
    assert judged.probabilities is not None
    rows = np.flatnonzero((judged.labels == label) & (judged.predicted == answer))
    return tuple(rows[np.argsort(-judged.probabilities[rows, answer], kind="stable")].tolist())


def matrix(evaluation: Evaluation, labels: tuple[int, ...]) -> tuple[MatrixRow, ...]:
    """Return some rows of the confusion matrix, by their class indices."""
    counts = evaluation.mistakes.matrix
    found = []
    for label in labels:
        total = int(counts[label].sum())
        cells = {
            int(answer): Cell(label, int(answer), int(counts[label, answer]), int(counts[label, answer]) / total, True)
            for answer in np.flatnonzero(counts[label])
        }
        found.append(MatrixRow(label, total, cells))
    return tuple(found)
