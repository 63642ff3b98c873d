"""Rows that are read block by block, so that features in a file can be larger than memory (np.memmap)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import overload

import numpy as np
from numpy.typing import NDArray

from image_classifier.heads import row_blocks
from image_classifier.heads.row_blocks import Block


@dataclass(frozen=True)
class StreamedBlocks(Sequence[Block]):
    """All rows of an array (n, D), a block at a time, centred when it is read."""

    features: NDArray[np.float32]
    labels: NDArray[np.int64]
    weights: NDArray[np.float32]
    centre: NDArray[np.float32] | None = None
    """(D,) what is subtracted; None: the features as they are."""

    def centred(self, centre: NDArray[np.float32]) -> "StreamedBlocks":
        """Return the same rows, centred."""
        return replace(self, centre=centre)

    def __len__(self) -> int:
        return -(-len(self.labels) // row_blocks.BLOCK)

    @overload
    def __getitem__(self, index: int) -> Block: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Block]: ...
    def __getitem__(self, index: int | slice) -> Block | Sequence[Block]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        if index >= len(self):
            raise IndexError(index)
        rows = slice(index * row_blocks.BLOCK, (index + 1) * row_blocks.BLOCK)
        features = np.asarray(self.features[rows])
        if self.centre is not None:
            features = features - self.centre
        return Block(features, self.labels[rows], self.weights[rows])
