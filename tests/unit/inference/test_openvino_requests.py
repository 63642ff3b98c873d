"""In which order an engine fills its requests and releases them, by stand-ins for OpenVINO's."""

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Thread
from types import SimpleNamespace

import numpy as np
from numpy.typing import NDArray

from image_classifier.inference.engines import openvino
from image_classifier.inference.engines.request_pool import RequestPool
from tests.support.waiting import wait_until


@dataclass
class StandIn:
    """A request that answers the pixel's value, notes what is done with it, and calls back when it is awaited."""

    name: str
    notes: list[str]
    called: Callable[[], None]
    running: bool = False
    data: NDArray[np.float32] = field(default_factory=lambda: np.zeros((1, 1, 1, 3), np.float32))

    def get_input_tensor(self) -> "StandIn":
        """Return the tensor of the pixels."""
        return self

    def start_async(self) -> None:
        """Note the image."""
        self.running = True
        self.notes.append(f"{self.name} starts {self.data[0, 0, 0, 0]:.0f}")

    def wait(self) -> None:
        """Note it, once for each image."""
        if self.running:
            self.called()
            self.notes.append(f"{self.name} awaited")
        self.running = False

    def get_output_tensor(self, index: int) -> SimpleNamespace:
        """Return the pixel's value as the only probability."""
        return SimpleNamespace(data=self.data[:, 0, 0, index : index + 1])


def classified_in_order(count: int, called: Callable[[openvino.OpenVinoEngine], None]) -> list[str]:
    """Classify `count` images by two requests and return what was done with them."""
    notes: list[str] = []
    requests = [StandIn(name, notes, lambda: called(engine)) for name in "ab"]
    engine = openvino.OpenVinoEngine(RequestPool(requests), 2, openvino.Port(0, 1), None)
    pixels = np.broadcast_to(np.arange(count, dtype=np.uint8)[:, None, None, None], (count, 1, 1, 3))
    assert engine.probabilities(pixels)[:, 0].tolist() == list(range(count))
    return notes


def test_request_is_refilled_while_the_others_run() -> None:
    """Given two requests for five images -> each starts the next image as soon as its own is finished."""
    notes = classified_in_order(5, lambda engine: None)
    assert notes[:8] == [
        *("a starts 0", "b starts 1", "a awaited", "a starts 2"),
        *("b awaited", "b starts 3", "a awaited", "a starts 4"),
    ]


def test_requests_are_released_while_another_caller_waits() -> None:
    """Given another caller that waits for a request -> no further image is started before both are released."""
    threads: list[Thread] = []
    answered: list[float] = []

    def call(engine: openvino.OpenVinoEngine) -> None:
        if not threads:
            other = np.full((1, 1, 1, 3), 9, np.uint8)
            threads.append(Thread(target=lambda: answered.append(float(engine.probabilities(other)[0, 0]))))
            threads[0].start()
            wait_until(lambda: engine.pool.waiting > 0, 10, "the other caller waits")

    notes = classified_in_order(5, call)
    threads[0].join(10)
    assert answered == [9]
    assert notes[:4] == ["a starts 0", "b starts 1", "a awaited", "b awaited"]
