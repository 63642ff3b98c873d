"""What one request may cost: pixels, memory, time; and how heavy images share the process with others."""

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
from image_classifier.serving.connections.request_work import RequestWork, SharedWork, released
from image_classifier.serving.connections.shared_amount import SharedAmount
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
    """Make a header."""
    return Header(image_format, (width, height), b"", pixel_bytes=4)


def work(concurrency: int = 2, gone: Callable[[], bool] = lambda: False, **changed: Any) -> RequestWork:
    """Make the work of one request in a process of its own."""
    limits = WorkLimits(**{**{name: getattr(LIMITS, name) for name in LIMITS.__dataclass_fields__}, **changed})
    return RequestWork(SharedWork(limits), concurrency, nullcontext, client_is_gone=gone)


def lines(*images: bytes) -> bytes:
    """Write images as lines."""
    return b"".join(json.dumps({"b64": base64.b64encode(image).decode()}).encode() + b"\n" for image in images)


def test_steps_cut_a_list_by_number_and_by_pixels() -> None:
    """70 small images, a heavy one, half ones, JPEGs that are decoded reduced -> at most 32 images, 8 MP."""
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
    """Six JPEG headers of 200 megapixels in a list, and one in six lines -> 413 and an error a line, none decoded."""
    monkeypatch.setattr(imaging, "decode", lambda *_: pytest.fail("decoded"))
    answer = client.post("/invocations", data=listed([header_of_a_large_jpeg()] * 6), content_type="application/json")
    assert (answer.status_code, answer.get_json()["error"]) == (413, "too_many_pixels")
    message = answer.get_json()["message"]
    assert message.startswith("Image 6 of 6: The images of the request up to this one have 1,198,540,800 pixels")


def test_lines_beyond_the_pixels_of_a_request_are_answered_by_an_error(
    client_of: Callable[..., FlaskClient], green: bytes
) -> None:
    """Five lines of 3,072 pixels each where 10,000 are allowed -> three answers, two errors."""
    answer = client_of(max_request_pixels=10_000).post(
        "/invocations", data=lines(*[green] * 5), content_type="application/jsonlines"
    )
    found = [json.loads(line) for line in answer.data.splitlines()]
    assert [entry.get("error") for entry in found] == [None, None, None, "too_many_pixels", "too_many_pixels"]


def test_image_that_never_fits_is_rejected(client: FlaskClient) -> None:
    """40 bytes of WebP that take 1.4 GB, alone, 512 times, in a line -> 413 at once with figures in MB."""
    bomb = webp_of_one_colour()
    began = time.process_time()
    for body, kind in ((bomb, "application/x-image"), (listed([bomb] * 512), "application/json")):
        answer = client.post("/invocations", data=body, content_type=kind)
        assert (answer.status_code, answer.get_json()["error"]) == (413, "too_many_pixels")
        assert "WEBP image of 9,459 x 9,459 pixels takes 1,367 MB of memory; allowed:" in answer.get_json()["message"]
    line = client.post("/invocations", data=lines(bomb), content_type="application/jsonlines")
    assert json.loads(line.data)["error"] == "too_many_pixels"
    assert time.process_time() - began < 1


def test_pixel_limit_is_the_settings(client_of: Callable[..., FlaskClient], green: bytes) -> None:
    """An image of 3,072 pixels where 3,071 are allowed -> 413 that says so."""
    answer = client_of(max_pixels=3_071).post("/invocations", data=green, content_type="application/x-image")
    assert (answer.status_code, answer.get_json()["error"]) == (413, "too_many_pixels")
    assert "64 x 48; allowed: 3,071" in answer.get_json()["message"]


def test_deadline_ends_a_list_between_images(client_of: Callable[..., FlaskClient], green: bytes) -> None:
    """No time at all -> 503 with Retry-After for a list and an image, an error a line for lines."""
    client = client_of(work_seconds=0.0)
    for body, kind in ((listed([green] * 2), "application/json"), (green, "application/x-image")):
        answer = client.post("/invocations", data=body, content_type=kind)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
        assert answer.get_json()["error"] == "deadline_exceeded"
    answer = client.post("/invocations", data=lines(green, green), content_type="application/jsonlines")
    assert [json.loads(line)["error"] for line in answer.data.splitlines()] == ["deadline_exceeded"] * 2


def test_work_ends_when_the_client_has_gone(loading: ModelLoader, green: bytes) -> None:
    """A client that goes after some looks at it -> the list is not decoded further."""
    looks = iter([False] * 5)
    decoded: list[float] = []
    predictor = loading.predictor
    assert isinstance(predictor, Predictor)
    with (
        pytest.raises(RejectedError, match="closed the connection") as found,
        released(work(gone=lambda: next(looks, True))) as asked,
    ):
        predictor.predict([green] * 100, lambda _, seconds: decoded.append(seconds), asked)
    assert found.value.status == 499
    assert decoded == []


def test_one_image_is_answered_to_a_client_that_sends_no_more(loading: ModelLoader, green: bytes) -> None:
    """A client that looks gone since it has closed its own direction -> its only image is classified."""
    predictor = loading.predictor
    assert isinstance(predictor, Predictor)
    with released(work(gone=lambda: True)) as asked:
        assert len(predictor.predict([green], work=asked)) == 1


def test_shortage_of_memory_is_503(client: FlaskClient, green: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """A decoder that gets no memory -> 503 with the sentence, for an image and for lines."""

    def short(*_: Any, **__: Any) -> None:
        raise MemoryError

    monkeypatch.setattr("PIL.Image.open", short)
    for body, kind in ((green, "application/x-image"), (lines(green), "application/jsonlines")):
        answer = client.post("/invocations", data=body, content_type=kind)
        assert (answer.status_code, answer.get_json()["error"]) == (503, "no_memory")
        assert answer.get_json()["message"].startswith("Not enough memory to decode an image of 64 x 48 pixels.")


def test_memory_is_measured_when_it_is_first_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """1 GB that is free, two processes -> a quarter of it is the budget; hardly any -> 32 MB."""
    for free, budget in ((1024 * MEGABYTE, 256 * MEGABYTE), (MEGABYTE, 32 * MEGABYTE)):
        monkeypatch.setattr("image_classifier.resources.memory.available_bytes", lambda free=free: free)
        limits = WorkLimits(
            max_pixels=1, max_request_pixels=1, image_memory_bytes=1, decode_memory_bytes=None, seconds=1, processes=2
        )
        assert SharedWork(limits).rasters.limit == budget


def test_image_is_measured_against_the_smaller_of_both_limits() -> None:
    """An image of 65 MB where a process may hold 64 MB -> rejected; of 64 MB -> admitted."""
    with pytest.raises(ImageRejected, match="takes 65 MB of memory; allowed: 64 MB"):
        work().admit(header(10, 10), 65 * MEGABYTE)
    work().admit(header(10, 10), 64 * MEGABYTE)


class Holder(threading.Thread):
    """A thread that holds an amount until it is told to let go."""

    def __init__(self, shared: SharedAmount, amount: int, check: Callable[[], None] = lambda: None):
        super().__init__(daemon=True)
        self._shared, self._amount, self._check = shared, amount, check
        self.got, self.let_go, self.failed = threading.Event(), threading.Event(), False

    def run(self) -> None:
        """Hold it."""
        try:
            with self._shared.hold(self._amount, self._check):
                self.got.set()
                self.let_go.wait(30)
        except TimeoutError:
            self.failed = True


def test_amount_is_held_first_come_first_served() -> None:
    """80 of 100 held, 60 wait, then 30 come -> 30 wait behind 60 though they would fit, and 5 do not."""
    shared = SharedAmount(100)
    first, second, third = Holder(shared, 80), Holder(shared, 60), Holder(shared, 15)
    first.start()
    assert first.got.wait(5)
    second.start()
    wait_until(lambda: len(shared._queue) == 1, 5, "the queue")
    third.start()
    wait_until(lambda: len(shared._queue) == 2, 5, "the queue")
    with shared.hold(5, lambda: None):
        assert shared.held == 85
    assert not third.got.is_set()
    first.let_go.set()
    assert second.got.wait(5)
    assert third.got.wait(5)
    for holder in (second, third):
        holder.let_go.set()
        holder.join(5)
    assert shared.held == 0


def test_wait_ends_by_the_check() -> None:
    """A thread whose check fails while it waits -> its error, and the next one in the queue gets what is free."""

    def over() -> None:
        raise TimeoutError

    shared = SharedAmount(100)
    first, second, third = Holder(shared, 80), Holder(shared, 60, over), Holder(shared, 20)
    first.start()
    assert first.got.wait(5)
    second.start()
    wait_until(lambda: second.failed or len(shared._queue) == 1, 5, "the queue")
    third.start()
    assert third.got.wait(5)
    second.join(5)
    assert second.failed
    for holder in (first, third):
        holder.let_go.set()
        holder.join(5)
    assert shared.held == 0


def test_heavy_images_leave_a_permit_to_others() -> None:
    """Two heavy steps of two permits -> one waits without a permit, so that a light step begins at once."""
    shared = SharedWork(LIMITS)
    permits = SharedAmount(2)

    def request() -> RequestWork:
        return RequestWork(shared, 2, lambda: permits.hold(1, lambda: None), client_is_gone=lambda: False)

    inside, done = threading.Event(), threading.Event()
    second = threading.Event()

    def heavy(entered: threading.Event) -> None:
        asked = request()
        asked.acquire()
        with asked.step(heavy=True):
            entered.set()
            done.wait(10)

    threads = [threading.Thread(target=heavy, args=(event,), daemon=True) for event in (inside, second)]
    threads[0].start()
    assert inside.wait(5)
    threads[1].start()
    wait_until(lambda: bool(shared.lane(2)._queue), 5, "the queue")
    assert permits.held == 1
    with request().step(heavy=False):
        assert not second.is_set()
    done.set()
    for thread in threads:
        thread.join(5)
    assert second.is_set()
    assert permits.held == 0
