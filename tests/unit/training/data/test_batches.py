"""The order in which a job sees its images, on one host and on several."""

import itertools
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from image_classifier.contract.hyperparameters import Hyperparameters
from tests.unit.training import small

FEATURES = np.arange(22, dtype=np.float32)[:, np.newaxis]
"""Of each row its index, to know it again."""


def settings(**given: Any) -> Hyperparameters:
    """Batches of four."""
    return small.settings(batch_size=4, **given)


def flat(batches: Iterable[list[int]]) -> list[int]:
    """Return the rows of all batches."""
    return list(itertools.chain.from_iterable(batches))


def seen(owners: list[int] | None = None, count: int = 1, epoch: int = 0, first_step: int = 0) -> list[list[list[int]]]:
    """Return, for each of `count` hosts, the rows of each of its batches that count."""
    from image_classifier.training.data import batches
    from image_classifier.training.distributed import cluster

    given = None if owners is None else np.array(owners)
    rows = batches.Rows(FEATURES, np.arange(22) % 3, given)
    hosts = [replace(cluster.single_host(), rank=rank, count=count) for rank in range(count)]
    every = [list(batches.epoch_batches(rows, settings(), host, epoch, first_step)) for host in hosts]
    return [[[int(row) for row in batch.inputs[batch.counted > 0, 0]] for batch in one] for one in every]


def test_every_epoch_sees_every_row_once_in_an_order_of_its_own() -> None:
    """22 rows in batches of 4 -> six batches, all rows once; another epoch or seed -> another order."""
    from image_classifier.training.data import batches

    (first,), (second,) = seen(), seen(epoch=1)
    assert [len(batch) for batch in first] == [4, 4, 4, 4, 4, 2]
    assert sorted(flat(first)) == list(range(22))
    assert first != second
    assert not np.array_equal(batches.permutation(22, 123, 0), batches.permutation(22, 124, 0))


def test_epoch_goes_on_where_it_was_left() -> None:
    """From step 4 on -> the last two batches of the whole epoch."""
    assert seen(first_step=4)[0] == seen()[0][4:]


@pytest.mark.parametrize("count", [2, 3])
def test_hosts_share_the_batches_of_one_host(count: int) -> None:
    """Two or three hosts -> in each step, one after the other, they have the rows that one host alone has."""
    alone, several = seen()[0], seen(count=count)
    together = [flat(parts) for parts in zip(*several, strict=True)]
    assert together == alone


def test_host_with_fewer_files_begins_again() -> None:
    """Hosts that own 16 and 6 rows -> each sees all of its own and no others, two a step; the smaller one repeats."""
    owners = [0] * 16 + [1] * 6
    large, small_one = seen(owners, count=2)
    assert [len(large), len(small_one)] == [8, 8]
    assert sorted(flat(large)) == list(range(16))
    assert set(flat(small_one)) == set(range(16, 22))
    assert len(flat(small_one)) == 16


def test_rows_are_looked_at_by_their_owner() -> None:
    """Rows with owners -> each host's own; without -> equal contiguous parts."""
    from image_classifier.training.data import batches
    from image_classifier.training.distributed import cluster

    second = replace(cluster.single_host(), rank=1, count=2)
    labels = np.zeros(5, np.int64)
    assert batches.local_rows(batches.Rows(FEATURES[:5], labels, np.array([1, 0, 0, 1, 1])), second).tolist() == [
        0,
        3,
        4,
    ]
    assert batches.local_rows(batches.Rows(FEATURES[:5], labels), second).tolist() == [2, 3, 4]


def test_part_of_rows_is_a_set_of_rows_of_its_own() -> None:
    """Given some rows by their indices, then some of these -> their inputs, labels and owners, in every epoch."""
    from image_classifier.training.data import batches
    from image_classifier.training.distributed import cluster

    labels, owners = np.arange(22) % 3, np.arange(22) % 2
    part = batches.Rows(FEATURES, labels, owners).part(np.array([20, 3, 7, 9, 11])).part(np.array([0, 2, 3]))
    assert len(part) == 3
    assert (part.labels.tolist(), np.array(part.owners).tolist()) == ([2, 1, 0], [0, 1, 1])
    part = replace(part, owners=None)
    [batch] = batches.epoch_batches(part, settings(), cluster.single_host(), 0)
    assert sorted(batch.inputs[:, 0].tolist()) == [7, 9, 20]
    assert all(label == row % 3 for row, label in zip(batch.inputs[:, 0], batch.labels, strict=True))


def test_unreadable_image_of_a_part_is_left_out(tmp_path: Path) -> None:
    """Given images of which the second is unreadable, and a part with it -> the others, by their places in the part."""
    from image_classifier.training.data import batches
    from image_classifier.training.data.decoding import CachedImages, Decoder

    examples = small.grey_levels(tmp_path, 6)
    examples[1].path.write_bytes(b"no image")
    rows = batches.Rows(CachedImages(Decoder((7, 9), "bilinear"), examples), np.zeros(6, np.int64))
    pixels, readable = rows.part(np.array([5, 1, 2])).take(np.array([2, 1, 0]))
    assert pixels[:, 0, 0, 0].tolist() == [2, 5]
    assert readable.tolist() == [2, 0]
