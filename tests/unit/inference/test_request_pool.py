"""Who gets which request of an engine, and when."""

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from image_classifier.inference.engines.request_pool import RequestPool
from tests.support.waiting import wait_until


def test_latency_request_is_for_a_single_in_flight_image() -> None:
    """Given one user, then a second while the first is busy -> the latency request, then a throughput request."""
    pool = RequestPool(["a", "b"], "fast")
    with pool.taken(1) as first, pool.taken(1) as second:
        assert first == ["fast"]
        assert second == ["a"]
    with pool.taken(1) as again:
        assert again == ["fast"]


def test_announced_user_counts_as_in_flight() -> None:
    """Given two announced users -> a throughput request for both; given one announced user -> the latency request."""
    pool = RequestPool(["a", "b"], "fast")
    with pool.announce():
        with pool.taken(1) as alone:
            assert alone == ["fast"]
        with pool.announce(), pool.taken(1) as in_company:
            assert in_company == ["a"]
        with pool.taken(1) as alone_again:
            assert alone_again == ["fast"]


def test_several_requests_are_throughput_requests() -> None:
    """Given demand for five of two -> both throughput requests; for two of one idle -> that one."""
    pool = RequestPool(["a", "b"], "fast")
    with pool.taken(5) as all_of_them:
        assert all_of_them == ["a", "b"]
    with pool.taken(1), pool.taken(1) as one, pool.taken(2) as rest:
        assert sorted(one + rest) == ["a", "b"]
    assert pool.idle == 3


def test_waiting_threads_are_served_in_fifo_order() -> None:
    """Given six waiting threads, and a seventh that arrives at a release -> all are served in order of arrival."""
    pool, served = RequestPool(["only"]), list[int]()

    def work(number: int) -> None:
        with pool.taken(1):
            served.append(number)
            time.sleep(0.01)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    with pool.taken(1):
        for number, thread in enumerate(threads):
            thread.start()
            wait_until(lambda expected=number + 1: pool.waiting == expected, 5, "the thread waits")  # type: ignore[misc]
    work(6)
    for thread in threads:
        thread.join()
    assert served == list(range(7))


def test_every_waiting_thread_is_served_after_a_failure() -> None:
    """Given a user that fails while another waits -> the other gets the request, which is idle in the end."""
    pool = RequestPool(["only"])

    def fail() -> None:
        with pool.taken(1):
            wait_until(lambda: pool.waiting == 1, 5, "the other waits")
            raise ValueError

    with ThreadPoolExecutor(1) as threads:
        failed = threads.submit(fail)
        wait_until(lambda: pool.idle == 0, 5, "the first has it")
        with pool.taken(1) as found:
            assert found == ["only"]
    with pytest.raises(ValueError):  # noqa: PT011 - raised here
        failed.result()
    assert pool.idle == 1


def test_a_request_has_one_user_at_a_time() -> None:
    """Given twelve threads that repeatedly take one to three requests -> each has one user at a time, none is lost."""
    pool, users, shared = RequestPool(["a", "b", "c"], "fast"), dict.fromkeys(["a", "b", "c", "fast"], 0), list[str]()

    def work(number: int) -> None:
        with pool.taken(1 + number % 3) as requests:
            for request in requests:
                users[request] += 1
            time.sleep(random.Random(number).uniform(0, 0.002))
            shared.extend(request for request in requests if users[request] != 1)
            for request in requests:
                users[request] -= 1

    with ThreadPoolExecutor(12) as threads:
        list(threads.map(work, range(300)))
    assert shared == []
    assert (pool.idle, pool.waiting) == (4, 0)
