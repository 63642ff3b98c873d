"""Rows sorted by fold, centred, in one array: the training rows of a fold are views of the other folds."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from image_classifier.evaluation import stratified
from image_classifier.heads import copies, row_blocks
from image_classifier.heads.logistic_regression import Problem
from image_classifier.heads.row_blocks import Block
from image_classifier.heads.workers import Workers


def deal(labels: NDArray[np.int64], folds: int, seed: int, limit: int | None = None) -> NDArray[np.int64]:
    """Return the fold of each row, int64 (n,): stratified, of each class and in total the same number up to one.

    With more than `limit` rows the others get -1: the sample is stratified too.
    """
    count = len(labels)
    sample = min(count, limit or count)
    order = np.lexsort((np.random.default_rng(seed).random(count), labels))[stratified.evenly_spaced(count, sample)]
    fold = np.full(count, -1)
    fold[order] = np.arange(sample) % folds
    return fold


def deal_copies_together(
    features: NDArray[np.float32], labels: NDArray[np.int64], folds: int, seed: int, limit: int | None = None
) -> NDArray[np.int64]:
    """Deal rows of features (n, D) as `deal` does, but the copies of an image to one fold, see `copies`.

    Else a head would be judged by images that it was fitted on. With fewer different rows than folds, as those of a
    backbone that sees nothing, copies are dealt like other rows.
    """
    fold = deal(labels, folds, seed, limit)
    rows = np.flatnonzero(fold >= 0)
    first = copies.first_copies(features, rows)
    different = np.unique(first)
    if folds <= len(different) < len(rows):
        fold[rows] = deal(labels[rows[different]], folds, seed)[np.searchsorted(different, first)]
    return fold


@dataclass(frozen=True)
class FoldTable:
    """Centred copies of rows, as blocks by fold."""

    rows: tuple[NDArray[np.int64], ...]
    """Indices of each fold's rows in the caller's arrays, int64 (m,)."""
    blocks: tuple[tuple[Block, ...], ...]
    """The rows of each fold, in the order of `rows`."""
    centre: NDArray[np.float32]
    """(D,) what was subtracted."""

    def problem(self, held_out: int | None, outputs: int, workers: Workers, check: Callable[[], None]) -> Problem:
        """Return the rows of all folds but one, or of all, to be scaled by these rows alone."""
        blocks = [block for fold, part in enumerate(self.blocks) if fold != held_out for block in part]
        total = sum(float(block.weights.sum(dtype=np.float64)) for block in blocks)
        return Problem(blocks, total, row_blocks.scaling(blocks, workers), outputs, workers, check)


def build(
    features: NDArray[np.float32],
    labels: NDArray[np.int64],
    weights: NDArray[np.float32],
    folds: NDArray[np.int64],
    workers: Workers,
) -> FoldTable:
    """Copy rows of `features` (n, D); `folds` is the result of `deal`.

    Raises:
        UserError: A feature is NaN or infinite.
    """
    order = np.lexsort((np.arange(len(folds)), folds))[np.count_nonzero(folds < 0) :]
    bounds = np.searchsorted(folds[order], np.arange(folds.max() + 2))
    rows = tuple(order[start:stop] for start, stop in pairwise(bounds))

    def gathered(part: NDArray[np.int64]) -> tuple[Block, ...]:
        cut = [part[piece] for piece in row_blocks.slices(0, len(part))]
        return tuple(workers.map(lambda some: Block(features[some], labels[some], weights[some]), cut))

    blocks = tuple(gathered(part) for part in rows)
    everything = [block for part in blocks for block in part]
    centre = row_blocks.centre(everything, workers)

    def subtract(block: Block) -> None:
        block.features[:] -= centre

    for _ in workers.map(subtract, everything):
        pass
    return FoldTable(rows, blocks, centre)
