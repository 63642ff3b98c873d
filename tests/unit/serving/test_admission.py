"""Who is let in, whose turn it is, and how many bytes fit."""

import threading
from contextlib import ExitStack

import pytest

from image_classifier.serving.connections.admission import Admission, BodyMemoryBudget, RetryAfterEstimator
from image_classifier.serving.rejection import RejectedError
from tests.support.waiting import wait_until


def test_beyond_the_limit_is_rejected_at_once() -> None:
    """Two places taken of two -> 503 with Retry-After and the limit; a place given back -> taken again."""
    admission = Admission(2)
    with admission.place():
        with admission.place(), pytest.raises(RejectedError) as found, admission.place():
            pytest.fail("there was no place")
        with admission.place():
            assert admission.held == 2
    assert (found.value.status, found.value.code, found.value.headers) == (503, "busy", {"Retry-After": "1"})
    assert "2 requests" in found.value.message
    assert admission.held == 0


def test_failed_work_gives_its_place_and_turn_back() -> None:
    """Work that raises, more often than there are places and turns -> each time both are free again."""
    admission = Admission(1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), admission.place() as place, place.turn(1):
            _ = 1 / 0
    with admission.place() as place, place.turn(1):
        assert (admission.limit, admission.held, admission.waiting) == (1, 1, 0)


class Crowd:
    """Requests in threads of their own, each of which waits for its turn before the next one comes."""

    def __init__(self, admission: Admission):
        self.admission = admission
        self.order: list[int] = []
        self.rejected: list[RejectedError] = []
        self.threads: list[threading.Thread] = []

    def join(self, number: int, gone: bool = False) -> None:
        """Add one that waits."""
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
            with self.admission.place() as place, place.turn(1, lambda: gone):
                self.order.append(number)
        except RejectedError as rejection:
            self.rejected.append(rejection)


def test_turns_are_given_first_come_first_served() -> None:
    """Twenty requests behind one that works -> they work in the order in which they came."""
    crowd = Crowd(Admission(21))
    with crowd.admission.place() as place, place.turn(1):
        for number in range(20):
            crowd.join(number)
        assert crowd.order == []
    crowd.finish()
    assert crowd.order == list(range(20))


def test_work_of_clients_that_have_gone_is_not_begun() -> None:
    """The second of three that wait has lost its client -> only the others work, it is rejected with 499."""
    crowd = Crowd(Admission(4))
    with crowd.admission.place() as place, place.turn(1):
        for number in range(3):
            crowd.join(number, gone=number == 1)
    crowd.finish()
    assert crowd.order == [0, 2]
    assert [rejection.status for rejection in crowd.rejected] == [499]
    assert crowd.admission.held == 0


def test_as_many_work_at_once_as_is_said() -> None:
    """Three turns at a time, three taken -> the fourth waits until one of them is given back."""
    admission = Admission(4)
    with ExitStack() as working:
        for _ in range(3):
            place = working.enter_context(admission.place())
            working.enter_context(place.turn(3))
        fourth = Crowd(admission)
        fourth.join(4)
        assert fourth.order == []
    fourth.finish()
    assert fourth.order == [4]


def test_large_bodies_share_a_budget_and_small_ones_are_free() -> None:
    """100 bytes beyond the first 10 of each -> what is beyond is counted, given back, rejected when it is too much."""
    budget = BodyMemoryBudget(100, free=10)
    assert all(budget.change(0, 10) for _ in range(50))
    assert budget.change(0, 70)
    assert budget.fits(50)
    assert not budget.fits(51)
    assert not budget.change(10, 60)
    assert budget.change(60, 0)
    assert budget.change(70, 0)
    assert budget.used == 0


def test_pace_is_that_of_a_busy_server() -> None:
    """Places free every 0.5 s of a busy server, an idle hour between -> two a second, with a margin; at first 1 s."""
    pace = RetryAfterEstimator()
    assert pace.seconds(1000) == 1
    for start in (0.0, 3600.0):
        pace.freed(start - 100, was_busy=False)
        for number in range(4):
            pace.freed(start + number / 2, was_busy=True)
    assert [pace.seconds(places) for places in (1, 2, 3, 4, 5, 1000)] == [1, 2, 2, 3, 4, 15]


def test_pace_follows_what_is_asked() -> None:
    """A hundred quick requests, then slow ones -> after sixteen of them most of what is told is their pace."""
    pace, now = RetryAfterEstimator(), 0.0
    for seconds in [0.01] * 100 + [3.2] * 17:
        now += seconds
        pace.freed(now, was_busy=True)
    assert pace.seconds(1) == 3
