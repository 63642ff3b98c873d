"""Limits on the cost of a request (pixels, memory, time), and how heavy images share the process with others."""

import base64
import json
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest
from flask.testing import FlaskClient

from image_classifier import imaging
from image_classifier.imaging import Header, ImageRejected
from image_classifier.inference import decode_work
from image_classifier.inference.predictor import Predictor
from image_classifier.serving.connections.request_work import RequestWork, WorkBudgets, releasing
from image_classifier.serving.connections.weighted_semaphore import WeightedSemaphore
from image_classifier.serving.connections.work_limits import WorkLimits
from image_classifier.serving.processes.model_loader import ModelLoader
from image_classifier.serving.rejection import RejectedError
from tests.platform.sample_images import header_of_a_large_jpeg, listed, webp_of_one_colour
from tests.support.waiting import wait_until

MEGABYTE = 2**20
LIMITS = WorkLimits(
    max_pixels=10**9,
    max_request_pixels=10**9,
    image_memory_bytes=512 * MEGABYTE,
    decode_memory_bytes=64 * MEGABYTE,
    seconds=60,
)


def header(width: int, height: int, image_format: str = "PNG") -> Header:
    """Return an image header."""
    return Header(image_format, (width, height), b"", pixel_bytes=4)


def work(concurrency: int = 2, gone: Callable[[], bool] = lambda: False, **changed: Any) -> RequestWork:
    """Return the work of one request in a process of its own."""
    limits = WorkLimits(**{**{name: getattr(LIMITS, name) for name in LIMITS.__dataclass_fields__}, **changed})
    return RequestWork(WorkBudgets(limits), concurrency, nullcontext, client_is_gone=gone)


def lines(*images: bytes) -> bytes:
    """Encode images as lines."""
    return b"".join(json.dumps({"b64": base64.b64encode(image).decode()}).encode() + b"\n" for image in images)


def test_steps_are_limited_by_number_and_by_pixels() -> None:
    """Given 70 small images, a heavy one, medium ones, and reduced JPEGs -> steps of at most 32 images or 8 MP."""
    small, heavy, half = header(100, 100), header(4_000, 3_000), header(2_000, 2_000)
    photograph = header(4_000, 3_000, "JPEG")
    found = list(decode_work.steps([small] * 70 + [heavy, small, half, half, photograph, photograph, photograph]))
    assert found == [
        (0, 32, False),
        (32, 64, False),
        (64, 70, False),
        (70, 71, True),
        (71, 73, False),
        (73, 75, False),
        (75, 77, False),
    ]
    assert list(decode_work.steps([])) == []


def test_pixels_of_a_request_are_summed_before_anything_is_decoded(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a list of six JPEG headers of 200 megapixels -> 413 for the request, none is decoded."""
    monkeypatch.setattr(imaging, "decode", lambda *_: pytest.fail("decoded"))
    response = client.post("/invocations", data=listed([header_of_a_large_jpeg()] * 6), content_type="application/json")
    assert (response.status_code, response.get_json()["error"]) == (413, "too_many_pixels")
    message = response.get_json()["message"]
    assert message.startswith("Image 6 of 6: The images of the request up to this one have 1,198,540,800 pixels")


def test_lines_beyond_the_pixel_limit_get_an_error(client_of: Callable[..., FlaskClient], green: bytes) -> None:
    """Given five lines of 3,072 pixels each where 10,000 are allowed -> three predictions, two errors."""
    response = client_of(max_request_pixels=10_000).post(
        "/invocations", data=lines(*[green] * 5), content_type="application/jsonlines"
    )
    found = [json.loads(line) for line in response.data.splitlines()]
    assert [entry.get("error") for entry in found] == [None, None, None, "too_many_pixels", "too_many_pixels"]


def test_image_that_never_fits_is_rejected(client: FlaskClient) -> None:
    """Given 40 bytes of WebP that need 1.4 GB, alone, 512 times, in a line -> 413 immediately with figures in MB."""
    bomb = webp_of_one_colour()
    began = time.process_time()
    for body, kind in ((bomb, "application/x-image"), (listed([bomb] * 512), "application/json")):
        response = client.post("/invocations", data=body, content_type=kind)
        assert (response.status_code, response.get_json()["error"]) == (413, "too_many_pixels")
        assert "WEBP image of 9,459 x 9,459 pixels takes 1,367 MB of memory; allowed:" in response.get_json()["message"]
    line = client.post("/invocations", data=lines(bomb), content_type="application/jsonlines")
    assert json.loads(line.data)["error"] == "too_many_pixels"
    assert time.process_time() - began < 1


def test_pixel_limit_comes_from_the_settings(client_of: Callable[..., FlaskClient], green: bytes) -> None:
    """Given an image of 3,072 pixels where 3,071 are allowed -> 413 with both numbers."""
    response = client_of(max_pixels=3_071).post("/invocations", data=green, content_type="application/x-image")
    assert (response.status_code, response.get_json()["error"]) == (413, "too_many_pixels")
    assert "64 x 48; allowed: 3,071" in response.get_json()["message"]


def test_deadline_stops_a_list_between_images(client_of: Callable[..., FlaskClient], green: bytes) -> None:
    """Given a deadline of 0 s -> 503 with Retry-After for a list and an image, an error per line for lines."""
    client = client_of(work_seconds=0.0)
    for body, kind in ((listed([green] * 2), "application/json"), (green, "application/x-image")):
        response = client.post("/invocations", data=body, content_type=kind)
        assert (response.status_code, response.headers["Retry-After"]) == (503, "1")
        assert response.get_json()["error"] == "deadline_exceeded"
    response = client.post("/invocations", data=lines(green, green), content_type="application/jsonlines")
    assert [json.loads(line)["error"] for line in response.data.splitlines()] == ["deadline_exceeded"] * 2


def test_work_stops_when_the_client_disconnects(loading: ModelLoader, green: bytes) -> None:
    """Given a client that disconnects after some checks -> the list is not decoded further."""
    checks = iter([False] * 5)
    decoded: list[float] = []
    predictor = loading.predictor
    assert isinstance(predictor, Predictor)
    with (
        pytest.raises(RejectedError, match="client disconnected") as found,
        releasing(work(gone=lambda: next(checks, True))) as started,
    ):
        predictor.predict([green] * 100, lambda _, seconds: decoded.append(seconds), started)
    assert found.value.status == 499
    assert decoded == []


def test_half_closed_client_gets_its_only_image_classified(loading: ModelLoader, green: bytes) -> None:
    """Given a client that has half-closed its connection -> its only image is classified."""
    predictor = loading.predictor
    assert isinstance(predictor, Predictor)
    with releasing(work(gone=lambda: True)) as started:
        assert len(predictor.predict([green], work=started)) == 1


def test_out_of_memory_is_503(client: FlaskClient, green: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a decoder that raises MemoryError -> 503 with a remedy, for an image and for lines."""

    def short(*_: Any, **__: Any) -> None:
        raise MemoryError

    monkeypatch.setattr("image_classifier.imaging.libjpeg_turbo.decode", short)
    for body, kind in ((green, "application/x-image"), (lines(green), "application/jsonlines")):
        response = client.post("/invocations", data=body, content_type=kind)
        assert (response.status_code, response.get_json()["error"]) == (503, "no_memory")
        assert response.get_json()["message"].startswith("Not enough memory to decode an image of 64 x 48 pixels.")


def test_free_memory_is_measured_at_first_use(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given 1 GB free and two workers -> the budget is a quarter of it; with hardly any free, 32 MB."""
    for free, budget in ((1024 * MEGABYTE, 256 * MEGABYTE), (MEGABYTE, 32 * MEGABYTE)):
        monkeypatch.setattr("image_classifier.resources.memory.available_bytes", lambda free=free: free)
        limits = WorkLimits(
            max_pixels=1, max_request_pixels=1, image_memory_bytes=1, decode_memory_bytes=None, seconds=1, processes=2
        )
        assert WorkBudgets(limits).raster_memory.limit == budget


def test_smaller_of_both_memory_limits_applies() -> None:
    """Given 64 MB for all images of a worker -> an image that needs 65 MB is rejected, one of 64 MB admitted."""
    with pytest.raises(ImageRejected, match="takes 65 MB of memory; allowed: 64 MB"):
        work().admit(header(10, 10), 65 * MEGABYTE)
    work().admit(header(10, 10), 64 * MEGABYTE)


class Holder(threading.Thread):
    """A thread that holds an amount until it is released."""

    def __init__(self, semaphore: WeightedSemaphore, amount: int, check: Callable[[], None] = lambda: None):
        super().__init__(daemon=True)
        self._semaphore, self._amount, self._check = semaphore, amount, check
        self.acquired, self.release, self.failed = threading.Event(), threading.Event(), False

    def run(self) -> None:
        """Hold the amount."""
        try:
            with self._semaphore.hold(self._amount, self._check):
                self.acquired.set()
                self.release.wait(30)
        except TimeoutError:
            self.failed = True


def test_semaphore_grants_in_fifo_order_except_small_amounts() -> None:
    """Given 80 of 100 held and 60 waiting -> a later 15 waits behind the 60 although it would fit, and 5 does not."""
    semaphore = WeightedSemaphore(100)
    first, second, third = Holder(semaphore, 80), Holder(semaphore, 60), Holder(semaphore, 15)
    first.start()
    assert first.acquired.wait(5)
    second.start()
    wait_until(lambda: len(semaphore._queue) == 1, 5, "the queue")
    third.start()
    wait_until(lambda: len(semaphore._queue) == 2, 5, "the queue")
    with semaphore.hold(5, lambda: None):
        assert semaphore.held == 85
    assert not third.acquired.is_set()
    first.release.set()
    assert second.acquired.wait(5)
    assert third.acquired.wait(5)
    for holder in (second, third):
        holder.release.set()
        holder.join(5)
    assert semaphore.held == 0


def test_failing_check_ends_the_wait() -> None:
    """Given a waiting thread whose check raises -> its exception propagates, and the next in the queue is granted."""

    def expire() -> None:
        raise TimeoutError

    semaphore = WeightedSemaphore(100)
    first, second, third = Holder(semaphore, 80), Holder(semaphore, 60, expire), Holder(semaphore, 20)
    first.start()
    assert first.acquired.wait(5)
    second.start()
    wait_until(lambda: second.failed or len(semaphore._queue) == 1, 5, "the queue")
    third.start()
    assert third.acquired.wait(5)
    second.join(5)
    assert second.failed
    for holder in (first, third):
        holder.release.set()
        holder.join(5)
    assert semaphore.held == 0


def test_heavy_images_leave_a_permit_to_others() -> None:
    """Given two heavy steps and two permits -> one waits without a permit, so that a light step starts immediately."""
    budgets = WorkBudgets(LIMITS)
    permits = WeightedSemaphore(2)

    def request() -> RequestWork:
        return RequestWork(budgets, 2, lambda: permits.hold(1, lambda: None), client_is_gone=lambda: False)

    inside, done = threading.Event(), threading.Event()
    second = threading.Event()

    def heavy(entered: threading.Event) -> None:
        started = request()
        started.acquire()
        with started.step(heavy=True):
            entered.set()
            done.wait(10)

    threads = [threading.Thread(target=heavy, args=(event,), daemon=True) for event in (inside, second)]
    threads[0].start()
    assert inside.wait(5)
    threads[1].start()
    wait_until(lambda: bool(budgets.heavy_lanes(2)._queue), 5, "the queue")
    assert permits.held == 1
    with request().step(heavy=False):
        assert not second.is_set()
    done.set()
    for thread in threads:
        thread.join(5)
    assert second.is_set()
    assert permits.held == 0
