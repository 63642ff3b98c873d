"""Admission control, permits in FIFO order, Retry-After and the memory budget of bodies."""

import threading
from contextlib import ExitStack

import pytest

from image_classifier.serving.connections.admission import Admission, BodyMemoryBudget, RetryAfterEstimator
from image_classifier.serving.rejection import RejectedError
from tests.support.waiting import wait_until


def test_request_beyond_the_limit_is_rejected_immediately() -> None:
    """Given two slots, both taken -> 503 with Retry-After and the limit; a released slot can be taken again."""
    admission = Admission(2)
    with admission.slot():
        with admission.slot(), pytest.raises(RejectedError) as found, admission.slot():
            pytest.fail("there was no slot")
        with admission.slot():
            assert admission.held == 2
    assert (found.value.status, found.value.code, found.value.headers) == (503, "busy", {"Retry-After": "1"})
    assert "limit of 2 in-flight requests" in found.value.message
    assert admission.held == 0


def test_failed_work_releases_its_slot_and_permit() -> None:
    """Given work that raises, more often than there are slots and permits -> both are free again each time."""
    admission = Admission(1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), admission.slot() as slot, slot.permit(1):
            _ = 1 / 0
    with admission.slot() as slot, slot.permit(1):
        assert (admission.limit, admission.held, admission.waiting) == (1, 1, 0)


class Crowd:
    """Requests in threads of their own, each of which waits for a permit before the next one arrives."""

    def __init__(self, admission: Admission):
        self.admission = admission
        self.order: list[int] = []
        self.rejected: list[RejectedError] = []
        self.threads: list[threading.Thread] = []

    def join(self, number: int, gone: bool = False) -> None:
        """Add a waiting request."""
        waiting = self.admission.waiting
        self.threads.append(threading.Thread(target=self._work, args=(number, gone)))
        self.threads[-1].start()
        wait_until(lambda: self.admission.waiting == waiting + 1, 10, "it waits", pause=0.001)

    def finish(self) -> None:
        """Wait until all have worked."""
        for thread in self.threads:
            thread.join(10)
            assert not thread.is_alive()

    def _work(self, number: int, gone: bool) -> None:
        try:
            with self.admission.slot() as slot, slot.permit(1, lambda: gone):
                self.order.append(number)
        except RejectedError as rejection:
            self.rejected.append(rejection)


def test_permits_are_granted_in_fifo_order() -> None:
    """Given twenty requests that wait for one permit -> they execute in the order in which they arrived."""
    crowd = Crowd(Admission(21))
    with crowd.admission.slot() as slot, slot.permit(1):
        for number in range(20):
            crowd.join(number)
        assert crowd.order == []
    crowd.finish()
    assert crowd.order == list(range(20))


def test_work_of_disconnected_clients_is_not_started() -> None:
    """Given three waiting requests, the second without a client -> it is rejected with 499, the others execute."""
    crowd = Crowd(Admission(4))
    with crowd.admission.slot() as slot, slot.permit(1):
        for number in range(3):
            crowd.join(number, gone=number == 1)
    crowd.finish()
    assert crowd.order == [0, 2]
    assert [rejection.status for rejection in crowd.rejected] == [499]
    assert crowd.admission.held == 0


def test_concurrency_limits_the_permits() -> None:
    """Given three permits, all held -> the fourth request waits until one is released."""
    admission = Admission(4)
    with ExitStack() as working:
        for _ in range(3):
            slot = working.enter_context(admission.slot())
            working.enter_context(slot.permit(3))
        fourth = Crowd(admission)
        fourth.join(4)
        assert fourth.order == []
    fourth.finish()
    assert fourth.order == [4]


def test_large_bodies_share_a_budget_and_small_ones_are_free() -> None:
    """Given 100 bytes beyond the first 10 of each body -> the excess is counted, released, rejected above the limit."""
    budget = BodyMemoryBudget(100, free=10)
    assert all(budget.change(0, 10) for _ in range(50))
    assert budget.change(0, 70)
    assert budget.fits(50)
    assert not budget.fits(51)
    assert not budget.change(10, 60)
    assert budget.change(60, 0)
    assert budget.change(70, 0)
    assert budget.used == 0


def test_retry_after_is_estimated_from_the_rate_under_load() -> None:
    """Given a slot every 0.5 s under load, with an idle hour between -> two a second plus a margin; 1 s at first."""
    estimator = RetryAfterEstimator()
    assert estimator.seconds(1000) == 1
    for start in (0.0, 3600.0):
        estimator.slot_freed(start - 100, was_saturated=False)
        for number in range(4):
            estimator.slot_freed(start + number / 2, was_saturated=True)
    assert [estimator.seconds(slots) for slots in (1, 2, 3, 4, 5, 1000)] == [1, 2, 2, 3, 4, 15]


def test_retry_after_follows_the_recent_rate() -> None:
    """Given a hundred quick requests, then seventeen slow ones -> the estimate is close to the slow rate."""
    estimator, now = RetryAfterEstimator(), 0.0
    for seconds in [0.01] * 100 + [3.2] * 17:
        now += seconds
        estimator.slot_freed(now, was_saturated=True)
    assert estimator.seconds(1) == 3
