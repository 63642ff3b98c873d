"""The order of images and the batches of an epoch: a pure function of seed, epoch and step."""

import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from image_classifier.contract.hyperparameters import Hyperparameters
from image_classifier.training.data import augmentation
from image_classifier.training.data.decoding import CachedImages
from image_classifier.training.distributed.cluster import Cluster

AHEAD = 2
"""Batches that are prepared while the network processes one."""


@dataclass(frozen=True)
class Rows:
    """Labelled inputs: features, or images that are decoded on demand."""

    inputs: NDArray[Any] | CachedImages
    labels: NDArray[np.int64]
    owners: NDArray[np.int64] | None = None
    """(n,) rank of the only host that has a row; None when every host has all rows."""
    chosen: NDArray[np.int64] | None = None
    """(n,) which of the `inputs` the rows are; None when they are all inputs in order."""

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def unreadable(self) -> dict[str, str]:
        """Unreadable inputs met so far: index, as text, to the reason."""
        found = self.inputs.unreadable if isinstance(self.inputs, CachedImages) else {}
        return {str(index): reason for index, reason in sorted(found.items())}

    def mark_unreadable(self, unreadable: Mapping[str, str]) -> None:
        """Mark inputs as unreadable that an earlier run of this job could not read."""
        if isinstance(self.inputs, CachedImages):
            self.inputs.unreadable |= {int(index): reason for index, reason in unreadable.items()}

    def take(self, indices: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """Return the inputs of the readable ones of these rows, and their indices."""
        wanted = indices if self.chosen is None else self.chosen[indices]
        if not isinstance(self.inputs, CachedImages):
            return self.inputs[wanted], indices
        found, readable = self.inputs.take(wanted)
        return found, readable if self.chosen is None else indices[np.isin(wanted, readable)]

    def part(self, indices: NDArray[np.int64]) -> "Rows":
        """Return some of these rows, by their indices int64 (n,), with the same cache of decoded images."""
        owners = None if self.owners is None else self.owners[indices]
        chosen = indices if self.chosen is None else self.chosen[indices]
        return Rows(self.inputs, self.labels[indices], owners, chosen)


@dataclass(frozen=True)
class Batch:
    """This host's part of one global batch: n rows, divisible by the number of its replicas."""

    inputs: NDArray[Any]
    """Features float32 (n, features), or pixels uint8 (n, height, width, 3)."""
    labels: NDArray[np.int64]
    counted: NDArray[np.float32]
    """1 for a row, 0 for padding that makes the replicas equal."""
    positions: NDArray[np.int32]
    """Position of each row in the global batch."""
    transforms: NDArray[np.float32]
    """(n, 8) of the augmentation; (n, 0) without."""


def permutation(count: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """Return the order of `count` rows in epoch `epoch` (from 0), int64 (count,)."""
    return np.random.default_rng((seed, epoch)).permutation(count)


def steps_per_epoch(rows: Rows, values: Hyperparameters, cluster: Cluster) -> int:
    """Return the number of batches of an epoch; the last one may be smaller."""
    if rows.owners is None:
        return math.ceil(len(rows) / values.batch_size)
    shares = [replace(cluster, rank=rank).share(values.batch_size) for rank in range(cluster.count)]
    counts = np.bincount(rows.owners, minlength=cluster.count).tolist()
    steps = [math.ceil(count / max(share.stop - share.start, 1)) for count, share in zip(counts, shares, strict=True)]
    return int(max(steps))


def local_rows(rows: Rows, cluster: Cluster) -> NDArray[np.int64]:
    """Return the indices of this host's share when every row is processed once."""
    if rows.owners is None:
        part = cluster.share(len(rows))
        return np.arange(part.start, part.stop)
    return np.flatnonzero(rows.owners == cluster.rank)


def epoch_batches(
    rows: Rows, values: Hyperparameters, cluster: Cluster, epoch: int, first_step: int = 0
) -> Iterator[Batch]:
    """Yield this host's parts of the batches of an epoch from `first_step` on, prepared ahead.

    When each host has its own rows, a host with fewer rows repeats them while others have more.
    """
    steps, size = steps_per_epoch(rows, values, cluster), values.batch_size
    share = cluster.share(size)
    if rows.owners is None:
        drawn = permutation(len(rows), values.random_seed, epoch)
    else:
        own = local_rows(rows, cluster)
        drawn = np.resize(own[permutation(len(own), values.random_seed, epoch)], steps * (share.stop - share.start))

    def make(step: int) -> Batch:
        if rows.owners is None:
            whole = drawn[step * size : (step + 1) * size]
            part = cluster.share(len(whole))
            indices, first = whole[part], part.start
        else:
            length = share.stop - share.start
            indices, first = drawn[step * length : (step + 1) * length], share.start
        return _batch(rows, values, indices, np.arange(first, first + len(indices)), epoch, cluster)

    return _ahead(make, range(first_step, steps), isinstance(rows.inputs, CachedImages))


def in_order(rows: Rows, indices: NDArray[np.int64], size: int) -> Iterator[tuple[NDArray[Any], NDArray[np.int64]]]:
    """Yield inputs and indices of the readable ones among `indices`, at most `size` at a time."""

    def make(start: int) -> tuple[NDArray[Any], NDArray[np.int64]]:
        return rows.take(indices[start : start + size])

    yield from _ahead(make, range(0, len(indices), size), isinstance(rows.inputs, CachedImages))


def _batch(
    rows: Rows,
    values: Hyperparameters,
    indices: NDArray[np.int64],
    positions: NDArray[np.int64],
    epoch: int,
    cluster: Cluster,
) -> Batch:
    inputs, readable = rows.take(indices)
    positions = positions[np.isin(indices, readable)]
    counted = np.ones(len(readable), np.float32)
    if cluster.replicas > 1 and (missing := _missing(len(readable), cluster.local_replicas)):
        # Every replica needs the same number of rows, at least one: pad with copies that do not count.
        if not len(readable):
            inputs, readable, positions = (
                np.zeros((1, *inputs.shape[1:]), inputs.dtype),
                np.zeros(1, np.int64),
                np.zeros(1, np.int64),
            )
        padding = np.concatenate([np.arange(len(counted)), np.resize(np.arange(len(readable)), missing)])
        inputs, readable, positions = inputs[padding], readable[padding], positions[padding]
        counted = np.concatenate([counted, np.zeros(missing, np.float32)])
    transforms = np.empty((len(readable), 0), np.float32)
    if values.augmentation:
        transforms = augmentation.draw(values, rows.inputs.shape[1:3], epoch, readable)
    return Batch(inputs, rows.labels[readable], counted, positions.astype(np.int32), transforms)


def _missing(rows: int, replicas: int) -> int:
    return -rows % replicas if rows else replicas


def _ahead(make: Callable[[int], Any], steps: range, in_background: bool) -> Iterator[Any]:
    if not in_background:
        yield from map(make, steps)
        return
    pool = ThreadPoolExecutor(1, thread_name_prefix="batches")
    ahead: deque[Future[Any]] = deque()
    try:
        for step in steps:
            ahead.append(pool.submit(make, step))
            if len(ahead) > AHEAD:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
