"""Threads for NumPy work whose result does not depend on their number.

A threaded BLAS divides a matrix product by its number of threads, and the parts round differently. Here BLAS has one
thread, the rows are cut into blocks of fixed size, and the results of the blocks are added in their order.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import threadpoolctl

from image_classifier.resources.processors import available_processors

Item = TypeVar("Item")
Result = TypeVar("Result")


class Workers:
    """A thread for each CPU; create it by `workers`."""

    def __init__(self, pool: ThreadPoolExecutor, count: int) -> None:
        self._pool, self._count = pool, count

    def map(self, function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        """Yield the results in the order of `items`; only a few are computed ahead."""
        if len(items) == 1 or self._count == 1:
            yield from map(function, items)
            return
        pending: deque[Future[Result]] = deque()
        for item in items:
            if len(pending) > 2 * self._count:
                yield pending.popleft().result()
            pending.append(self._pool.submit(function, item))
        while pending:
            yield pending.popleft().result()


@contextmanager
def workers(count: int | None = None) -> Iterator[Workers]:
    """Start `count` threads, by default one per CPU, with BLAS limited to one thread in the whole process."""
    count = count or available_processors()
    limit = threadpoolctl.threadpool_limits(limits=1, user_api="blas")
    with limit, ThreadPoolExecutor(count, "recipe") as pool:
        yield Workers(pool, count)
